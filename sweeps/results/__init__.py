"""What a sweep has to show: tables, the best run, its report, a second training."""
