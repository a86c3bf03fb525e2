{ networking: { hostName: "café" } }
