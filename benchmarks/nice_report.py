"""The table that nice_vs_nicex.py writes beside its JSON."""

GOALS = {"breast-cancer": 50, "diabetes-progression": 30, "synthetic-mixed": 30}  # times faster, with a forest


def markdown(results):
    lines = [
        "# The NICE plugin beside NICEx",
        "",
        f"{results['date']}, {results['machine']['processor']}, one thread on a machine shared with other work; the two sides take turns; medians of {results['repeats']['ours']} and "
        f"{results['repeats']['nicex']} repeats. Written by `{results['command']}`.",
        "",
        "Ratio: NICEx's seconds over the plugin's, for all queries, both blind to the schema's rules (`stock=True`). "
        "Identical: answers equal value for value. Calls: of the classifier. The last two columns show why `stock` is not "
        "the default: the share of NICEx's answers that the schema forbids, and the share of queries that the plugin's "
        "default answers within the rules.",
        "",
        "`random-forest` and `xgboost` are the harness's pipelines, with one-hot coding where there are levels; "
        "`forest-on-codes` is a forest of the same settings without coding, whose cost NICEx pays at each of its many calls. "
        "Variant `none` is not comparable: NICEx asks once a query for the class, which the plugin is told. The "
        "reconstruction error that `plausibility` needs is the plugin's on both sides; NICEx's seconds in it are "
        "`nicex_error_seconds` in the JSON beside this table.",
        "",
        "| dataset | classifier | variant | queries | NICEx s | plugin s | ratio | of processor time | identical | NICEx calls | plugin calls "
        "| NICEx breaks rules | default answers |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {c['dataset']} | {c['classifier']} | {c['variant']} | {c['queries']} | {c['nicex_seconds']:.3f} "
        f"| {c['ours_seconds']:.4f} | {c['ratio']:.1f} | {c['ratio_processor_time']:.1f} | {c['identical']:.1%} | {c['nicex_calls']} | {c['ours_calls']} "
        f"| {c['nicex_breaks_rules']:.0%} | {c['default_answers']:.0%} |"
        for c in results["cases"]
    ]
    missed = [
        f"{c['dataset']} / {c['classifier']} / {c['variant']}: {c['ratio']:.1f} of {GOALS[c['dataset']]}"
        for c in results["cases"]
        if c["classifier"] != "xgboost" and c["variant"] != "none" and c["ratio"] < GOALS[c["dataset"]]
    ]
    goals = ", ".join(f"{name} {times}×" for name, times in GOALS.items())
    lines += [
        "",
        f"Goals for the three searching variants with a forest: {goals}. Missed: {'; '.join(missed) or 'none'}.",
    ]
    different = [(c, d) for c in results["cases"] for d in c["different"]]
    lines += ["", f"Answers that differ: {len(different) or 'none'}."]
    lines += [
        f"- {c['dataset']} / {c['classifier']} / {c['variant']}, {d['query']}: {', '.join(d['features'])}; {d['closest_call']}"
        for c, d in different
    ]
    return "\n".join(lines) + "\n"
