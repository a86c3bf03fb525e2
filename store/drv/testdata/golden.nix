let
  sys = "x86_64-linux";
  mk = name: extra: derivation ({ inherit name; system = sys; builder = "/bin/sh"; } // extra);
  src = builtins.toFile "source.txt" "some source\n";
  leaf = mk "leaf" { args = [ "-c" "echo leaf > $out" ]; };
  multi = mk "multi" { outputs = [ "out" "dev" "doc-html" ]; inherit src; };
  quoted = mk "quoted" { args = [ "-c" "echo \"quote\" \\ back\nnew\tline\r\n" ]; text = "tab\there \"q\" \\n ünï ☃"; empty = ""; };
  flat = mk "flat.deb" { outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = "0000000000000000000000000000000000000000000000000001"; url = "mirror-a"; };
  rec256 = mk "unpacked-1.0+b1" { outputHashMode = "recursive"; outputHashAlgo = "sha256"; outputHash = "1111111111111111111111111111111111111111111111111111"; inherit leaf; };
  sha1 = mk "old-sha1" { outputHashMode = "flat"; outputHashAlgo = "sha1"; outputHash = "00000000000000000000000000000001"; };
  rsha1 = mk "old-rsha1" { outputHashMode = "recursive"; outputHashAlgo = "sha1"; outputHash = "00000000000000000000000000000001"; };
  sha512 = mk "new-sha512" { outputHashMode = "recursive"; outputHashAlgo = "sha512"; outputHash = builtins.hashString "sha512" "x"; };
  md5 = mk "old-md5" { outputHashMode = "flat"; outputHashAlgo = "md5"; outputHash = builtins.hashString "md5" "x"; };
  # the same fixed output by two ways: equal modulo hashes, users merge
  viaA = mk "fixed" { outputHashMode = "recursive"; outputHashAlgo = "sha256"; outputHash = builtins.hashString "sha256" "f"; url = "a"; };
  viaB = mk "fixed" { outputHashMode = "recursive"; outputHashAlgo = "sha256"; outputHash = builtins.hashString "sha256" "f"; url = "b"; };
  overA = mk "over" { outputs = [ "out" "dev" ]; dep = viaA; };
  overB = mk "over" { outputs = [ "out" "dev" ]; dep = viaB; };
  merged = mk "merged" { a = overA.out; b = overB.dev; both = "${overA.dev} ${overB.dev}"; };
  top = mk "top" { inherit multi quoted flat rec256 sha1 rsha1 sha512 md5 src; dev = multi.dev; html = multi.doc-html; two = [ leaf rec256 ]; };
  drvInput = mk "drv-input" { drvfile = leaf.drvPath; };
  structured = mk "structured" { __structuredAttrs = true; list = [ 1 2 "three" ]; nested = { a = true; }; };
  chain = builtins.foldl' (prev: n: mk "chain-${toString n}" { inherit prev; }) leaf (builtins.genList (x: x) 12);
  srcAndDrv = mk "both" { a = builtins.unsafeDiscardOutputDependency leaf.drvPath; b = leaf; };
  long = mk (builtins.concatStringsSep "" (builtins.genList (x: "n") 207)) { };
  exportGraph = mk "graph" { exportReferencesGraph = [ "closure" leaf ]; };
in [ leaf multi quoted flat rec256 sha1 rsha1 sha512 md5 merged top drvInput structured chain srcAndDrv long exportGraph ]
