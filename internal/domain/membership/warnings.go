package membership

import (
	"fmt"
	"strings"
	"time"
)

// expiryWarning is how long before its expiry a certificate is reported.
const expiryWarning = 30 * 24 * time.Hour

// Warnings returns what needs the attention of an operator, as sentences without a full stop.
func (c Cluster) Warnings(now time.Time) []string {
	var warnings []string
	add := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	quorum := c.Quorum()
	switch {
	case quorum.IsLost():
		add("writes and linearizable reads fail until %d members respond; start the daemons that do not, or restore a backup", quorum.Required())
	case c.IsLocal:
		add("no quorum confirms the list of members, although members respond: they may not reach each other")
	case quorum.Advice() != "":
		add("%s", quorum.Advice())
	}
	for _, m := range c.Members {
		if text := c.warningOf(m, quorum.IsLost()); text != "" {
			add("%s: %s", m.Label(), text)
		}
		// The certificates of the own member are those of its daemon, which are reported there.
		if days, expiresSoon := ExpiresSoon(m.CertificateNotAfter, now); expiresSoon && !m.IsOwn {
			add("%s: its certificate expires in %s; renew it", m.Label(), count(days, "day"))
		}
	}
	return warnings
}

// ExpiresSoon reports whether a certificate expires within 30 days, and in how many days: a
// negative number once it has expired. A zero time never expires.
func ExpiresSoon(notAfter, now time.Time) (days int, expiresSoon bool) {
	return int(notAfter.Sub(now).Hours() / 24), !notAfter.IsZero() && notAfter.Before(now.Add(expiryWarning))
}

// warningOf returns the most important problem of one member.
func (c Cluster) warningOf(m Member, isQuorumLost bool) string {
	switch {
	case m.IsLearner && m.Name == "":
		return "the learner has not started; complete its join, or remove it"
	case m.Name == "" && !m.Responds():
		return "the member has not started, and counts as lost; complete its join, or remove it"
	case !m.Responds() && !isQuorumLost:
		return "does not respond; start its daemon, or replace it"
	case m.Failure != "" && m.HasPeer:
		return "responds to members only, not to clients"
	case len(m.Problems) > 0:
		return "reports " + strings.Join(m.Problems, ", ")
	case m.Timing != (Timing{}) && c.Timing != (Timing{}) && m.Timing != c.Timing:
		return fmt.Sprintf("runs with a heartbeat of %s in place of %s; restart its daemon", m.Timing.Heartbeat, c.Timing.Heartbeat)
	}
	return ""
}
