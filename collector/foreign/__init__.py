"""Measurements that others made, read as ours, and ours in their words: so far OONI's ``web_connectivity``.

What goes out is told in `exported`. What a foreign measurement says becomes a `Round` of our own
records, and our rules judge it, so that the same evidence can be laid beside both conclusions. Three
rules keep that honest.

**What is missing stays missing.** A stage that was not measured has no observation. The round's
gate says ``not_measured``, because OONI runs no unrelated controls; judged as it stands, such a
round is `insufficient`, today and in any store.

**What is supposed is said.** Our rules ask for two unrelated controls and for a second attempt, and
OONI makes neither, so a strict reading would say nothing of anything. Therefore a *supposed* round
is judged beside the real one and never shown or kept: the same observations, as if the controls had
passed (`gate_assumed`) and, only where the verdict hangs on it, as if a second attempt had gone the
same way (`repetition_assumed`). The first supposition is made only where the measurement itself
shows that the line was up: OONI's test helper abroad answered, a certificate-valid handshake
completed, or a resolver answered over HTTPS. None of these can be had from a dead line, a captive
portal or a lying resolver. A TCP connection or a UDP answer can, and they show nothing. Where
nothing shows it, the verdict stays `insufficient`: OONI's own rule 5 calls such a line accessible.

**The test helper is a witness, not a control.** It looked the name up abroad and shook hands with
what it got: a trusted resolver's answer, and proof that an address is genuine. In the supposed
round it stands for the trusted resolver. Where the line's own resolver gave an address, or the line
met a foreign certificate there, the line's own experience stands and the helper's success is left out.
Its HTTP answer is not used: a platform that refuses data centres would make every block an outage.

None of this is a vote. Foreign rounds are unsigned and are never put into the store, whose cells
count the probes we enrolled; they are printed, or written to a file of their own.
"""
