"""What counterfactuals are worth as training data where labels are scarce: scenarios, controls, retraining, and lift.

Arrays and contracts only: nothing here knows of files, processes or configuration.
"""
