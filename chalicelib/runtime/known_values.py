"""Digests of the secrets that stand in this repository. Written by ``make generate``; do not edit."""

KNOWN = frozenset(
    {
        "0e55729701e79dd9",
        "18b82778375bf6b9",
        "1e05282fb96c6237",
        "39049a9597a5b037",
        "3e57212c7dcd48fa",
        "3e81a13fd9e99dd6",
        "4ad1bc7cf3cf09f9",
        "59e27c0f3729c1eb",
        "5c87e622af076973",
        "65d9c8e96a36aacf",
        "66bffdd157906966",
        "66c7ae93a9a3a9fe",
        "6cb99cb22641fbe2",
        "70aa3e785bc037aa",
        "783e0a9ae4836265",
        "849fb1b2ed3c44f5",
        "9f751038d2eafc96",
        "a92a9c6d8171c3cf",
        "b5df18317dff979a",
        "c1de0be9d055ad19",
        "c46e748e6f5b1938",
        "cc0e31090a71fc5b",
        "d17efc8b8984cd7d",
        "de55ed02c9cf1c4c",
        "e4fb974a142232e3",
        "e6eb1346808ceeef",
        "e89ea0f9ebb9513d",
        "ed757016ea28cb1c",
    }
)
