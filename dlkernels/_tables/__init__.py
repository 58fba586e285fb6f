"""The commands `dlkernels train` and `dlkernels predict`: from a table in a CSV file to a model, and back."""
