local double(s, n) = if n == 0 then s else double(s + s, n - 1);
{ networking: { hostName: double('x', 40) } }
