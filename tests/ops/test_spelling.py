"""Every op can be said and read back, and every mistake is explained."""

import string
from dataclasses import MISSING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hoaconv.engine.spec import DTYPES
from hoaconv.errors import SpellingError
from hoaconv.kernels.boundary import MODES
from hoaconv.kernels.downsample import METHODS
from hoaconv.kernels.extrema import FOOTPRINTS
from hoaconv.kernels.small_objects import CONNECTIVITIES
from hoaconv.kernels.structure_tensor import OUTPUTS
from hoaconv.ops.catalogue import catalogue, example, usage
from hoaconv.ops.cropping import RANGES, Crop
from hoaconv.ops.geometry import AXES, QUARTERS, WIDTHS, Flip, Pad, Rotate90
from hoaconv.ops.kinds import (
    DTYPE,
    FINITE,
    NUMBER,
    PERCENTAGE,
    PERCENTAGES,
    RADII,
    SIGMAS,
    SIZES,
    WHOLE,
)
from hoaconv.ops.operands import OPERAND, VOLUME
from hoaconv.ops.ordinal import Median, Percentile
from hoaconv.ops.parameters import kind_of, parameters
from hoaconv.ops.pointwise import BOUND, THRESHOLD, Cast, Clip, Rescale, Threshold
from hoaconv.ops.projections import METHOD
from hoaconv.ops.sampling import ORDER, Bin, Resize
from hoaconv.ops.sharpen import HIGH_SIGMA
from hoaconv.ops.smooth import Gaussian
from hoaconv.ops.spelling import parse_op, parse_ops, spell, spell_ops
from hoaconv.ops.table import DTYPE_OR_SAME, FILE
from hoaconv.ops.transposition import ORDER as NEW_ORDER

pytestmark = pytest.mark.one_python

numbers = st.floats(allow_nan=False)
percents = st.floats(0, 100)
percentiles = st.builds("p{:f}".format, percents)
dtypes = st.sampled_from([str(dtype) for dtype in DTYPES])
VALUES = {
    NUMBER.name: numbers,
    FINITE.name: st.floats(allow_nan=False, allow_infinity=False),
    WHOLE.name: st.integers(0, 10**6),
    PERCENTAGES.name: st.lists(percents, min_size=1, max_size=4),
    PERCENTAGE.name: percents,
    BOUND.name: numbers | percentiles,
    THRESHOLD.name: numbers | percentiles | st.sampled_from(["otsu", "li", "moments"]),
    "number or mean": numbers | st.just("mean"),
    "number or std": numbers | st.just("std"),
    METHOD.name: st.sampled_from(["max", "mean", "min", "sum", "std"]),
    FILE.name: st.builds("{}.npy".format, st.text(string.ascii_letters + "/._-")),
    DTYPE_OR_SAME.name: dtypes | st.just("same"),
    SIGMAS.name: st.floats(0, 100) | st.tuples(*[st.floats(0, 100)] * 3),
    HIGH_SIGMA.name: st.just("auto") | st.floats(0, 100),
    OPERAND.name: st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["other.zarr", "../a/b", "p5"]),
    VOLUME.name: st.sampled_from(["other.zarr", "../a/b", "7"]),
    DTYPE.name: dtypes,
    "|".join(MODES): st.sampled_from(MODES),
    "all|z|y|x": st.sampled_from(["all", *"zyx"]),
    "|".join(OUTPUTS): st.sampled_from(OUTPUTS),
    "|".join(sorted(MODES)): st.sampled_from(sorted(MODES)),
    "|".join(METHODS): st.sampled_from(list(METHODS)),
    RANGES.name: st.tuples(
        *[st.tuples(st.integers(-99, 99), st.none() | st.integers(-99, 99))] * 3
    ),
    AXES.name: st.sets(st.sampled_from("zyx"), min_size=1).map(sorted),
    NEW_ORDER.name: st.permutations("zyx").map("".join),
    Crop.__dataclass_fields__["fill"].metadata["kind"].name: numbers | st.just("none"),
    QUARTERS.name: st.integers(-9, 9),
    WIDTHS.name: st.integers(0, 9)
    | st.tuples(*[st.integers(0, 9) | st.tuples(*[st.integers(0, 9)] * 2)] * 3),
    SIZES.name: st.integers(1, 9) | st.tuples(*[st.integers(1, 9)] * 3),
    RADII.name: st.integers(0, 9) | st.tuples(*[st.integers(0, 9)] * 3),
    "|".join(FOOTPRINTS): st.sampled_from(FOOTPRINTS),
    ORDER.name: st.integers(0, 1),
    "voxels": st.integers(1, 10**30) | st.floats(1, 1e30).map(int),
    "|".join(map(str, CONNECTIVITIES)): st.sampled_from(CONNECTIVITIES),
}


@st.composite
def ops(draw):
    """Any op, its values by the kinds of its fields."""
    op = draw(st.sampled_from(list(catalogue().values())))
    values = {
        f.name: draw(VALUES[kind_of(f).name])
        for f in parameters(op)
        if f.default is MISSING or draw(st.booleans())
    }
    try:
        return op(**values)
    except SpellingError:
        assume(False)


@given(ops())
def test_what_is_spelled_is_read_back(op):
    assert parse_op(spell(op)) == op


@given(st.lists(ops(), max_size=4))
def test_chains_are_read_back(chain):
    assert parse_ops(spell_ops(chain)) == tuple(chain)


@given(st.text(string.printable, max_size=40))
def test_any_text_is_ops_or_a_spelling_error(text):
    try:
        chain = parse_ops(text)
    except SpellingError:
        return
    assert parse_ops(spell_ops(chain)) == chain


@pytest.mark.parametrize("word", catalogue())
def test_every_example_is_read(word):
    assert parse_op(example(word)).word == word


@pytest.mark.parametrize(
    ("text", "op"),
    [
        ("gaussian 1.5 mode=nearest", Gaussian(1.5, mode="nearest")),
        ("gaussian sigma=1,2,3", Gaussian((1, 2, 3))),
        ("gaussian 2 mirror 0 3", Gaussian(2, "mirror", truncate=3)),
        ("  threshold   -5 ", Threshold(-5)),
        ("clip -inf 2e4", Clip(float("-inf"), 20000)),
        ("cast u2", Cast("uint16")),
        ("crop 10:200,0:512,:", Crop((slice(10, 200), slice(512), slice(None)))),
        ("crop -9:,:-1,2:3", Crop([(-9, None), (None, -1), "2:3"])),
        ("flip x,z", Flip("z,x")),
        ("rotate90 -1", Rotate90(3)),
        ("pad 1:2,0,3 mirror", Pad(((1, 2), (0, 0), 3), "mirror")),
        ("bin 2,2,2", Bin(2)),
        ("resize 1,0.5,2 order=0", Resize((1, 0.5, 2), 0)),
        ("median 1,3,3 mirror", Median((1, 3, 3), "mirror")),
        ("percentile 20 3", Percentile(20, 3)),
        ("percentile size=3 percentile=99.5", Percentile(99.5, (3, 3, 3))),
        ("threshold otsu", Threshold("otsu")),
        ("threshold p099.50", Threshold("p99.5")),
        ("rescale p.5 60000 u2", Rescale("p0.5", 60000, "uint16")),
        ("rescale 0 p0.000001", Rescale(0, "p1e-6")),
    ],
)
def test_positions_and_names(text, op):
    assert parse_op(text) == op


def test_the_spelling_leaves_out_what_is_default():
    chain = (Gaussian((2.0, 2, 2), cval=0), Gaussian((0, 1.5, 2), truncate=3.5), Threshold(2e4))
    assert spell_ops(chain) == "gaussian 2 | gaussian 0,1.5,2 truncate=3.5 | threshold 20000"
    assert parse_ops("") == parse_ops("  ") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gausian 1", r"no op 'gausian'; did you mean 'gaussian'\?; `hoaconv.ops` lists them"),
        ("gaussian 1 | | threshold 2", r"no op before, after or between two \|"),
        ("| gaussian 1", "no op before"),
        ("gaussian", r"gaussian needs sigma; write it like: gaussian SIGMA \[mode=reflect\]"),
        ("clip", "clip needs lo and hi"),
        ("gaussian 1 trunkate=2", r"no parameter 'trunkate'; did you mean 'truncate'\?; write"),
        ("threshold 1 2", "threshold: '2' is one value too many; write it like: threshold VALUE"),
        ("threshold x", "value should be a number, otsu, li, moments or pNN, not 'x'"),
        ("threshold ostu", r"or pNN \(did you mean 'otsu'\?\), not 'ostu'"),
        ("threshold p101", "a number, otsu, li, moments or pNN, not 'p101'"),
        ("threshold nan", "should be a number other than NaN, not 'nan'"),
        ("threshold value=", "value should be a number, .* not ''"),
        ("threshold 1 value=2", "value is given twice"),
        ("rescale hi=2 1", "'1' must stand before any name=value"),
        ("gaussian 1,2", "sigma should be one number, or three for z,y,x, not '1,2'"),
        ("gaussian 1,,2", "sigma should be a number, not '1,,2'"),
        ("gaussian -1", "sigma should be 0 or more, not '-1'"),
        ("gaussian inf", "sigma should be 0 or more and finite, not 'inf'"),
        ("gaussian 1 truncate=-1", "truncate should be 0 or more"),
        ("gaussian 1 cval=inf", "cval should be a finite number, not 'inf'"),
        ("gaussian 1 mode=wrap", "one of reflect, .*far side .* not 'wrap'"),
        ("gaussian 1 mode=mirrored", "one of reflect, nearest, mirror, constant, not 'mirrored'"),
        ("structure-tensor 1 angle", "should be one of coherence, azimuth, elevation, not 'angle'"),
        ("structure-tensor -1", "structure-tensor: sigma should be 0 or more, not '-1'"),
        (
            "structure-tensor 1 gradient_sigma=1,0,1",
            r"gradient_sigma should be above 0\.125, not 1,0,1",
        ),
        (
            "non-max-suppression 1,0,1",
            r"non-max-suppression: sigma should be above 0\.125, not 1,0,1",
        ),
        ("bilateral 1 0", "bilateral: sigma_color should be above 0, not '0'"),
        ("bilateral inf 1", "bilateral: sigma should be 0 or more and finite"),
        ("bilateral 1 1 truncate=-1", "truncate should be 0 or more"),
        ("cast float16", "dtype should be one of uint8, .*int64, not 'float16'"),
        ("rescale 0 1 uint64", "dtype should be one of uint8, .*float64, not 'uint64'"),
        ("cast nonsense", "dtype should be one of uint8"),
        ("clip 5 2", "lo should not be above hi, but 5..2"),
        ("rescale 5 5", r"rescale: lo should be below hi, but 5\.\.5"),
        ("rescale p9 p9", "lo should be below hi, but p9..p9"),
        ("between p9 p2", "lo should not be above hi, but p9..p2"),
        ("normalize std=0", "normalize: std should be above 0, not '0'"),
        ("normalize inf", "normalize: mean should be a finite number, not 'inf'"),
        ("normalize std=inf", "normalize: std should be above 0 and finite, not 'inf'"),
        ("projection maximum", "method should be one of max, mean, min, sum, std, not 'maximum'"),
        ("lut table.csv", "should be the name of a .npy or .txt file, .* not 'table.csv'"),
        ("lut t.npy uint64", "should be same, or one of uint8, .* not 'uint64'"),
        ("histogram -1", "bins should be a whole number, 0 or more, not '-1'"),
        ("percentiles 1,101", r"q should be numbers in 0..100, with commas between, not"),
        (
            "percentile -20 3",
            r"percentile should be a number in 0\.\.100 \(100 - q for scipy's -q\)",
        ),
        ("percentile 101 3", r"number in 0\.\.100 .* not '101'"),
        ("percentile 3", "percentile needs size"),
        ("median 0", "size should be 1 or more, not '0'"),
        ("median 2.5", "size should be a whole number"),
        ("median 3 wrap", "far side isn't in memory"),
        ("rescale 0 inf", "rescale: hi should be a finite number, not 'inf'"),
        ("crop 1:2,3:4", "ranges should be three ranges z,y,x such as .* not '1:2,3:4'"),
        ("crop 1:9:2,:,:", "START:STOP without a step; the op 'bin' shrinks, not '1:9:2,:,:'"),
        ("crop 5,:,:", "START:STOP"),
        ("flip w", "axes should be axes such as z or y,x, not 'w'"),
        ("flip z,z", "axes such as"),
        ("rotate90 0.5", "k should be a whole number, not '0.5'"),
        ("pad 1,2", "width should be one width, or three"),
        ("pad -1", "widths of 0 or more"),
        ("erode 1.5", "radius should be a whole number, 0 or more, not '1.5'"),
        ("dilate 1 disk", "footprint should be one of box, ball, cross, not 'disk'"),
        ("open 1 mode=wrap", "far side isn't in memory"),
        ("min 0", "size should be 1 or more, not '0'"),
        ("max 3,3", "size should be one whole number, or three for z,y,x, not '3,3'"),
        ("pad 1 mode=wrap", "far side isn't in memory"),
        ("bin 0", "factor should be 1 or more"),
        ("bin 1.5", "a whole number"),
        ("bin 99", "a cell of at most 32768 voxels .it has 970299., not '99'"),
        ("resize 0", "factor should be above 0, not '0'"),
        ("resize 2 order=3", "order should be 0, the nearest voxel, or 1"),
    ],
)
def test_mistakes_are_explained(text, message):
    with pytest.raises(SpellingError, match=message):
        parse_ops(text)


def test_an_empty_op_is_explained():
    with pytest.raises(SpellingError, match="write one like"):
        parse_op(" ")


def test_usage_shows_what_must_be_given():
    assert usage("gaussian") == "gaussian SIGMA [mode=reflect] [cval=0] [truncate=4]"
