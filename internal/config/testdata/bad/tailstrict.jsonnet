local f(x) = f(x + 1) tailstrict;
{ image: { marginMiB: f(0) } }
