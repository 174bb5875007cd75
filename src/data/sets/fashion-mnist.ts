import { DataError } from "../../errors/errors.ts";
import type { DatasetEntry } from "../dataset.ts";
import type { RemoteFiles } from "../store.ts";
import { readMnistFiles } from "./mnist.ts";

/**
 * Where Fashion-MNIST's four files are, and the SHA-256 of the gzip files, the same on both mirrors.
 * Source: H. Xiao, K. Rasul, R. Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning
 * Algorithms", arXiv 1708.07747; https://github.com/zalandoresearch/fashion-mnist.
 */
export const fashionMnistFiles: RemoteFiles = {
  mirrors: [
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
  ],
  packing: "none",
  sha256: {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
  },
};

/** Pictures of clothes, inputs [1, 28, 28] bytes, in MNIST's format. */
export const fashionMnistEntry: DatasetEntry = {
  name: "fashion-mnist",
  summary: "pictures of clothes, 28×28, 60,000 to train and 10,000 to test (31 MB to download)",
  files: fashionMnistFiles,
  async load({ store, limits }) {
    if (store === undefined) {
      throw new DataError(
        "fashion-mnist: needs its four files, received no store; pass a folder or a download store",
      );
    }
    const about = {
      name: "fashion-mnist",
      classes: 10,
      classNames: [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
      ],
      normalization: { mean: 0.286, standardDeviation: 0.353 },
    };
    return readMnistFiles(store, about, limits);
  },
};
