function(x) { networking: {} }
