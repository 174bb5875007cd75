"""Files with fewer examples than a batch, as people have them when they begin: pandas, NumPy and scikit-learn wrote them."""

import numpy
import pandas
from sklearn.datasets import load_iris

iris = load_iris(as_frame=True)
frame = iris.frame.rename(columns=lambda name: name.replace(" (cm)", "").replace(" ", "_"))
frame["species"] = [str(iris.target_names[i]) for i in iris.target]
frame.drop(columns="target").groupby("species").head(8).to_csv("iris-24.csv", index=False)

days = pandas.DataFrame(
    {"sun": [3.5, 7.25, 0.5, 9.0, 1.0, 6.5], "rain": [2.0, 0.0, 8.5, 0.0, 6.0, 0.5], "ice": [31, 70, 8, 88, 14, 61]}
)
days.to_csv("ice-6.csv", index=False)

generator = numpy.random.default_rng(0)
x = generator.normal(size=(9, 2, 3)).astype(numpy.float32)
numpy.savez("nine.npz", x=x, y=(x.sum((1, 2)) > 0).astype(numpy.int64))
