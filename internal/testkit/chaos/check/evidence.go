package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// maxLines bounds the evidence of one violation.
const maxLines = 40

// describeCall returns one line for the call.
func describeCall(call *recording.Call) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[%v, %v] %s", time.Duration(call.Started), time.Duration(call.Returned), call.Client)
	if call.Node != "" {
		fmt.Fprintf(&b, " at %s", call.Node)
	}
	if call.Local {
		b.WriteString(" local")
	}
	fmt.Fprintf(&b, " %s %s", call.Method, call.Game)
	for _, part := range []struct{ name, value string }{
		{"operation", call.OperationID}, {"status", call.Status}, {"from", call.From}, {"to", call.To}, {"container", call.ContainerID}, {"fence", call.FenceKey},
	} {
		if part.value != "" {
			fmt.Fprintf(&b, " %s=%s", part.name, part.value)
		}
	}
	if call.Method == recording.PutIf {
		fmt.Fprintf(&b, " if_revision=%d", call.IfRevision)
	}
	fmt.Fprintf(&b, ": %s", call.Outcome)
	if call.Revision != 0 {
		fmt.Fprintf(&b, " revision=%d", call.Revision)
	}
	if len(call.Output) > 0 {
		fmt.Fprintf(&b, " %s", describeRecord(call.Output))
	}
	if call.Error != "" {
		fmt.Fprintf(&b, " (%s)", shorten(call.Error))
	}
	return b.String()
}

// describeVersion returns one line for a version of a game, nil for the time before the first one.
func describeVersion(v *truth.Version) string {
	if v == nil {
		return "etcd: the game had no record yet"
	}
	until := ""
	if v.Until != math.MaxInt64 {
		until = fmt.Sprintf(", until revision %d", v.Until)
	}
	switch {
	case v.Deleted:
		return fmt.Sprintf("etcd: revision %d, received at %v%s: %s deleted", v.Revision, time.Duration(v.At), until, v.Game)
	case v.Record == nil:
		return fmt.Sprintf("etcd: revision %d, received at %v%s: %s unreadable: %s", v.Revision, time.Duration(v.At), until, v.Game, v.Fault)
	default:
		return fmt.Sprintf("etcd: revision %d, received at %v%s: %s operation=%s %s",
			v.Revision, time.Duration(v.At), until, v.Game, v.Record.LastWrite.OperationID, describeRecord([]byte(v.Value)))
	}
}

func describeEntry(e *truth.Entry) string {
	return fmt.Sprintf("etcd: revision %d, received at %v: ledger of %s: entry %d %s→%s container=%q operation=%s",
		e.Revision, time.Duration(e.At), e.Game, e.Seq, e.From, e.To, e.ContainerID, e.OperationID)
}

// describeEvent returns one line for an event of a watch.
func describeEvent(e *recording.Event) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %s stream %d: %s", time.Duration(e.At), e.Watcher, e.Stream, e.Type)
	if e.Type == recording.StreamOpen {
		fmt.Fprintf(&b, " at %s from=%d status=%q region=%q game=%q resync=%t", e.Node, e.From, e.Status, e.Region, e.Of, e.Resync)
	}
	if e.Revision != 0 {
		fmt.Fprintf(&b, " revision=%d", e.Revision)
	}
	if e.Game != "" {
		fmt.Fprintf(&b, " %s", e.Game)
	}
	if e.Last {
		b.WriteString(" last")
	}
	if e.Reason != "" {
		fmt.Fprintf(&b, " (%s)", shorten(e.Reason))
	}
	for _, part := range []struct {
		name  string
		value []byte
	}{{"before", e.Before}, {"after", e.After}} {
		if len(part.value) > 0 {
			fmt.Fprintf(&b, " %s=%s", part.name, describeRecord(part.value))
		}
	}
	return b.String()
}

// describeRecord returns the fields of a record that mostly matter.
func describeRecord(text []byte) string {
	r, err := truth.ParseRecord(text)
	if err != nil {
		return shorten(string(text))
	}
	return fmt.Sprintf("{%s container=%q node=%s/%s generation=%d image=%q state=%q}", r.Status, r.ContainerID, r.Region, r.Node, r.Generation, r.Image, r.StatePath)
}

// shorten bounds a text that evidence quotes.
func shorten(text string) string {
	const most = 300
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}

// shortest returns the shortest history of a game that shows what is wrong with the call: the
// write that it shows, what proves the revisions that it could have used, and the call itself.
func (c *checker) shortest(call *recording.Call) []string {
	lines := []string{}
	window := c.timeline.During(call)
	if g := c.history.Games[call.Game]; g != nil {
		if shown := g.Made(call.Revision); shown != nil && !window.Contains(shown) {
			lines = append(lines, describeVersion(shown))
		}
		versions := g.Between(window)
		for _, v := range versions[:min(len(versions), maxLines/2)] {
			lines = append(lines, describeVersion(v))
		}
	}
	lines = append(lines, c.describeProof(window.From, call.Started))
	return append(lines, c.withRetries(call)...)
}

// describeProof returns one line for why the revision existed before the time.
func (c *checker) describeProof(revision, before int64) string {
	if proof := c.proofOf(revision, before); proof != nil {
		return describeCall(proof)
	}
	return fmt.Sprintf("etcd: revision %d was received before %v", revision, time.Duration(before))
}

// proofOf returns the first call whose response showed the revision before the time, nil if only
// the recorder received it. It reads all calls, so only the first violations have a proof.
func (c *checker) proofOf(revision, before int64) (proof *recording.Call) {
	if c.proofs++; c.proofs > MaxViolations {
		return nil
	}
	for i := range c.calls {
		call := &c.calls[i]
		if call.Revision == revision && call.Returned < before && (proof == nil || call.Returned < proof.Returned) {
			proof = call
		}
	}
	return proof
}

// withRetries returns the call together with the other calls that have its operation id.
func (c *checker) withRetries(call *recording.Call) (lines []string) {
	group := []*recording.Call{call}
	if call.OperationID != "" {
		group = slices.Clone(c.byOperation[operation{call.Game, call.OperationID}])
		slices.SortFunc(group, func(a, b *recording.Call) int { return cmp.Compare(a.Started, b.Started) })
	}
	for _, one := range group {
		lines = append(lines, describeCall(one))
	}
	return lines
}

// describeChange returns one line for a change of a key.
func describeChange(change *recording.Change) string {
	what := shorten(change.Value)
	if change.Deleted {
		what = "deleted"
	}
	return fmt.Sprintf("etcd: revision %d, received at %v: %s: %s", change.Revision, time.Duration(change.At), change.Key, what)
}
