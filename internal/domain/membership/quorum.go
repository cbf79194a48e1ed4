package membership

import (
	"fmt"
	"strconv"
)

// Quorum is how many members of a cluster have a vote, and how many of these respond. etcd
// serves writes and linearizable reads while a majority of the voters responds.
type Quorum struct {
	// Voters is the number of members with a vote; Responding is how many of them respond.
	Voters, Responding int
	// Learners is the number of members without a vote.
	Learners int
}

// Required returns the number of voters that must respond: a majority.
func (q Quorum) Required() int { return q.Voters/2 + 1 }

// Tolerated returns how many more voters may be lost. It is negative if more than that are
// lost already.
func (q Quorum) Tolerated() int { return q.Responding - q.Required() }

// IsLost reports whether too few voters respond.
func (q Quorum) IsLost() bool { return q.Tolerated() < 0 }

// IsEven reports whether the cluster tolerates no more losses than one with a voter less.
func (q Quorum) IsEven() bool { return q.Voters > 0 && q.Voters%2 == 0 }

// String returns the quorum as a sentence without a full stop, such as "3 members, 1 may be
// lost".
func (q Quorum) String() string {
	text := count(q.Voters, "member")
	if q.Learners > 0 {
		text += " and " + count(q.Learners, "learner")
	}
	if q.IsLost() {
		return fmt.Sprintf("%s, no quorum: %d of %d required respond", text, q.Responding, q.Required())
	}
	if q.Responding < q.Voters {
		text += fmt.Sprintf(", %d respond", q.Responding)
	}
	switch tolerated := q.Tolerated(); tolerated {
	case 0:
		return text + ", none may be lost"
	default:
		return fmt.Sprintf("%s, %d may be lost", text, tolerated)
	}
}

// Advice returns a sentence about an even number of voters, and an empty text for others.
func (q Quorum) Advice() string {
	if !q.IsEven() {
		return ""
	}
	return fmt.Sprintf("%s tolerate no more losses than %s; use an odd number", count(q.Voters, "member"), count(q.Voters-1, "member"))
}

// count returns the number with the noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
