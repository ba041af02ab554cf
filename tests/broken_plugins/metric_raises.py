from sensecf_bench import MeanMetric, hookimpl


class MetricRaises(MeanMetric):
    name, direction, unit = "metric-raises", "lower", ""

    def values(self, judged):
        raise ZeroDivisionError("nothing to divide by")


@hookimpl
def sensecf_metrics():
    return [MetricRaises]
