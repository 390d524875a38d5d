"""Options that several rules share."""

from bdfa_np.declaration import Option, magnitude

RFB_MAG = Option(
    "rfb_mag",
    0.0,
    "Feedback is drawn within ±X; 0: from its size.",
    check=magnitude,
    keyword="magnitude",
    torch="-rfb_mag",
)
