package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
	"galaxy/rtmanager/internal/testkit/chaos/report"
)

// hostile is a text that would be part of the page if it were not escaped.
const hostile = `</title></pre></script><script>alert("x")</script><img src=x onerror='alert(1)'>"'` + "\x00\u2028"

func second(n float64) int64 { return int64(n * float64(time.Second)) }

func sample(at float64, kind, subject string, value any) recording.Sample {
	encoded, _ := json.Marshal(value)
	return recording.Sample{At: second(at), Kind: kind, Subject: subject, Value: encoded}
}

// run returns a recording with everything that a page shows, whose texts are the given one.
func run(text string) *recording.Recording {
	return &recording.Recording{
		Run: recording.Run{Seed: 42, Layout: text, Version: text, Planted: text, Started: "2026-01-02T03:04:05Z", Duration: second(20), Stable: second(20), Nodes: []string{"eu/eu-1"}, Games: map[string]string{text: text}},
		Calls: []recording.Call{
			{Client: "a", Node: "eu/eu-1", Method: recording.Get, Started: second(1), Returned: second(1.5), Outcome: recording.Done},
			{Client: "a", Node: "eu/eu-1", Method: recording.Get, Started: second(2), Returned: second(3), Outcome: recording.Unknown, Error: text},
			{Client: "a", Node: "eu/eu-1", Method: recording.Get, Started: second(4), Returned: second(9), Outcome: recording.NotFound},
			{Client: "a", Node: "eu/eu-1", Method: recording.Get, Started: second(18), Returned: second(18.25), Outcome: recording.Done},
			{Client: "b", Node: text, Method: recording.Method(text), Game: text, Started: second(1), Returned: second(19), Outcome: recording.Rejected},
			{Client: "c", Method: recording.Put, Started: second(5), Returned: second(6), Outcome: recording.Unavailable},
			{Client: "d", Node: "eu/eu-1", Method: recording.Start, Started: second(5), Returned: second(6), Outcome: recording.Done},
		},
		Events: []recording.Event{
			{Watcher: text, Stream: 1, Type: recording.StreamOpen, Node: "eu-eu-1"}, {Watcher: text, Stream: 1, At: second(3), Type: "put"},
			{Watcher: text, Stream: 1, At: second(4), Type: recording.StreamEnd, Reason: "disconnected: " + text}, {Watcher: text, Stream: 2, At: second(5), Type: recording.StreamOpen, Node: "eu-eu-1"},
		},
		Faults: []recording.Fault{
			{Kind: text, Target: text, Detail: text, Started: second(2), Repaired: second(7), Error: text}, {Kind: text, Target: text, Started: second(10), Repaired: second(11)},
		},
		Samples: []recording.Sample{
			sample(1, recording.EtcdLeader, "cluster", text), sample(8, recording.EtcdLeader, "cluster", ""), sample(1, recording.Containers, "eu/eu-1", []recording.Container{{ID: text, Game: text}}),
			sample(50, recording.EtcdLeader, "cluster", text), {At: 3, Kind: recording.EtcdLeader, Value: json.RawMessage(`{}`)},
		},
	}
}

// parse returns the document of a page, and fails unless it is complete.
func parse(t *testing.T, page []byte) *html.Node {
	t.Helper()
	require.Contains(t, string(page), "</html>")
	document, err := html.Parse(bytes.NewReader(page))
	require.NoError(t, err)
	return document
}

// all returns the elements of a name.
func all(document *html.Node, name string) (found []*html.Node) {
	for n := range document.Descendants() {
		if n.Type == html.ElementNode && n.Data == name {
			found = append(found, n)
		}
	}
	return found
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// content returns the text of an element.
func content(n *html.Node) string {
	var b strings.Builder
	for child := range n.Descendants() {
		if child.Type == html.TextNode {
			b.WriteString(child.Data)
		}
	}
	return b.String()
}

// byID returns the element with the id.
func byID(t *testing.T, document *html.Node, id string) *html.Node {
	t.Helper()
	for n := range document.Descendants() {
		if n.Type == html.ElementNode && attribute(n, "id") == id {
			return n
		}
	}
	require.Fail(t, "the page has no element with the id "+id)
	return nil
}

// rows returns the cells of a table.
func rows(table *html.Node) (found [][]string) {
	for _, tr := range all(table, "tr") {
		var cells []string
		for _, td := range all(tr, "td") {
			cells = append(cells, content(td))
		}
		if cells != nil {
			found = append(found, cells)
		}
	}
	return found
}

func write(t *testing.T, in report.Input) *html.Node {
	t.Helper()
	var page bytes.Buffer
	require.NoError(t, report.Write(&page, in))
	return parse(t, page.Bytes())
}

func TestPageEscapesTexts(t *testing.T) {
	t.Parallel()
	recorded := run(hostile)
	checked := check.Check(recorded)
	checked.Violations = []check.Violation{{Rule: hostile, Summary: hostile, Evidence: []string{hostile, "second"}}}
	document := write(t, report.Input{Recording: recorded, Check: checked, Void: errors.New(hostile), Repeat: hostile})
	require.Len(t, all(document, "script"), 1, "that of the page")
	require.Empty(t, all(document, "img"))
	for n := range document.Descendants() {
		for _, a := range n.Attr {
			require.False(t, strings.HasPrefix(a.Key, "on"), "attribute %s of %s", a.Key, n.Data)
			require.NotContains(t, []string{"src", "srcset", "xlink:href"}, a.Key)
		}
	}
	shown := strings.NewReplacer("\x00", "\uFFFD").Replace(hostile)
	require.Equal(t, shown, content(byID(t, document, "repeat")))
	require.Contains(t, content(byID(t, document, "violations")), shown+"\nsecond\n")
	require.Contains(t, content(byID(t, document, "games")), shown)
}

func TestPageNeedsNoOtherFile(t *testing.T) {
	t.Parallel()
	document := write(t, report.Input{Recording: run("x")})
	require.Empty(t, all(document, "link"))
	require.Empty(t, all(document, "iframe"))
	for _, style := range all(document, "style") {
		require.NotContains(t, content(style), "url(")
		require.NotContains(t, content(style), "@import")
	}
}

func TestPageOfAnEmptyRecording(t *testing.T) {
	t.Parallel()
	document := write(t, report.Input{Recording: &recording.Recording{}, Check: check.Check(&recording.Recording{}), Void: errors.New("it has no call")})
	require.Contains(t, content(all(document, "title")[0]), "void")
	require.Contains(t, content(document), "it has no call")
	require.Empty(t, rows(byID(t, document, "calls")))
	require.NotContains(t, content(document), "NaN")
}

func TestPageNamesSkippedRules(t *testing.T) {
	t.Parallel()
	recorded := run("x")
	recorded.Run.NoChanges = true
	document := write(t, report.Input{Recording: recorded, Check: check.Check(recorded)})
	require.Contains(t, content(byID(t, document, "skipped")), "were skipped: writes, order, invariants")
	require.Contains(t, content(byID(t, document, "rules")), "writesskipped")
}

func TestPageShowsEachResult(t *testing.T) {
	t.Parallel()
	violation := check.Violation{Rule: check.RuleReads, Summary: "a read went back", Evidence: []string{"first", "second"}}
	for want, in := range map[string]report.Input{
		"no violation": {}, "void": {Void: errors.New("too few calls")},
		"1 violation":  {Check: check.Report{Violations: []check.Violation{violation}}, Void: errors.New("too few calls")},
		"2 violations": {Check: check.Report{Violations: []check.Violation{violation, violation}, Stats: check.Stats{Broken: map[string]int{check.RuleReads: 5}}}},
	} {
		in.Recording = run("x")
		document := write(t, in)
		require.Equal(t, "Run with seed 42: "+want, content(all(document, "title")[0]))
		if want == "2 violations" {
			require.Contains(t, content(byID(t, document, "violations")), "3 more violations are not listed.")
			require.Contains(t, content(byID(t, document, "rules")), "reads5 violations in 0 examined")
		}
	}
}

func TestTablesHaveTheNumbersOfTheRecording(t *testing.T) {
	t.Parallel()
	recorded := run("x")
	document := write(t, report.Input{Recording: recorded, Check: check.Check(recorded)})
	calls := rows(byID(t, document, "calls"))
	require.Equal(t, []string{"get", "2", "1", "0", "0", "0", "1", "4", "500 ms", "5.00 s", "5.00 s"}, calls[0])
	require.Equal(t, []string{"x", "0", "0", "0", "1", "0", "0", "1", "18.0 s", "18.0 s", "18.0 s"}, calls[len(calls)-1], "a method that the page does not know")
	gaps := rows(byID(t, document, "gaps"))
	// The first call was served at 1.5 s, the next one waited from 2 s on, the last one was served
	// at 9 s. Nothing waited from 9 s to 18 s.
	require.Equal(t, []string{"eu/eu-1", "reads", "4", "3", "7.00 s", "2.000 s", "9.000 s"}, gaps[0])
	require.Contains(t, gaps, []string{"stores of the clients", "writes", "1", "0", "1.00 s", "5.000 s", "6.000 s"})
	titles := ""
	for _, title := range all(document, "title") {
		titles += content(title) + "\n"
	}
	for _, want := range []string{
		"x · x\nfrom 2.000 s to 7.000 s (5.00 s)\nx\nfailed: x", "leader x, from 1.000 s to 8.000 s", "leader none, from 8.000 s to 50.000 s",
		"x, stream 1\nfrom 0.000 s to 4.000 s, 1 events\nend: disconnected: x", "x, stream 2\nfrom 5.000 s to 20.000 s, 0 events\nend: open at the end",
		"from 1.000 s to 20.000 s, eu/eu-1: 1 containers\nx x", "reads at eu/eu-1: none served for 7.00 s, from 2.000 s to 9.000 s",
	} {
		require.True(t, strings.Contains(titles, want), "no title has %q", want)
	}
}

func TestViolationsAreOnTheTimeline(t *testing.T) {
	t.Parallel()
	recorded := run("x")
	recorded.Run.Stable = second(2)
	recorded.Calls = append(recorded.Calls, recording.Call{Client: "slow", Node: "eu/eu-1", Method: recording.Get, Started: second(10), Returned: second(90), Outcome: recording.Done})
	recorded.Run.NoChanges = true
	checked := check.Check(recorded)
	found := ""
	for _, title := range all(write(t, report.Input{Recording: recorded, Check: checked}), "title") {
		if strings.HasSuffix(content(title), "call from 10.000 s to 90.000 s") {
			found += content(title) + "\n"
		}
	}
	require.Contains(t, found, "liveness: a call took", "the format of evidence has another form than the page reads")
}

func TestSummaryHasTheNumbersOfAllRuns(t *testing.T) {
	t.Parallel()
	var runs []report.Run
	for i := range 3 {
		recorded := run(hostile)
		recorded.Run.Seed, recorded.Run.Started = uint64(10-i), fmt.Sprintf("2026-01-02T03:04:0%dZ", 9-i)
		in := report.Input{Recording: recorded, Check: check.Check(recorded)}
		in.Check.Violations = nil
		in.Check.Stats.Broken = map[string]int{}
		switch i {
		case 0:
			in.Check.Violations = []check.Violation{{Rule: check.RuleReads, Summary: hostile}}
			in.Check.Stats.Broken[check.RuleReads] = 7
		case 1:
			in.Void = errors.New("too short")
		}
		runs = append(runs, report.NewRun(fmt.Sprintf("run-%d", 10-i), in))
	}
	s := report.Summarize(runs)
	require.Equal(t, "3 runs, 7 violations, 1 void", s.Headline())
	require.Equal(t, []uint64{8, 9, 10}, []uint64{s.Runs[0].Seed, s.Runs[1].Seed, s.Runs[2].Seed}, "in the order of their starts")
	require.Equal(t, []int{21, 3, 3, 3}, []int{s.Calls, s.Unknown, s.Faults, s.FailedFaults})
	require.Len(t, s.FaultKinds, 1)
	kind := s.FaultKinds[0]
	require.Equal(t, []any{6, 3, 1.0, 5.0}, []any{kind.Count, kind.Failed, kind.MedianSeconds, kind.WorstSeconds})
	// Reads: the call at 18 s is the first one that succeeded after 7 s and after 11 s.
	require.Equal(t, report.Recovery{Count: 6, MedianSeconds: 7.25, WorstSeconds: 11.25}, kind.Recovery[check.ReadCalls])
	require.Equal(t, report.Recovery{Without: 6}, kind.Recovery[check.OperationCalls])

	var page bytes.Buffer
	require.NoError(t, s.Write(&page))
	document := parse(t, page.Bytes())
	require.Empty(t, all(document, "script"))
	require.Empty(t, all(document, "img"))
	table := rows(byID(t, document, "runs"))
	require.Len(t, table, 3)
	require.Equal(t, []string{"1", "1"}, table[0][8:10], "a fault that was injected, and one that failed")
	require.Equal(t, "right", table[0][len(table[0])-1])
	require.Equal(t, "void", table[1][len(table[1])-1])
	require.Equal(t, "broken", table[2][len(table[2])-1])
	require.Empty(t, all(document, "a"), "no run has a page")

	page.Reset()
	require.NoError(t, report.Summarize(nil).Write(&page))
	require.Contains(t, content(parse(t, page.Bytes())), "no run")
}

func TestRunsOfSeveralTestsAddUp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for number := range 3 {
		recorded := run("text")
		recorded.Run.Seed = uint64(number) //nolint:gosec // small
		summary, err := report.AddRun(dir, report.NewRun(fmt.Sprintf("run-%d", number), report.Input{Recording: recorded, Check: check.Check(recorded)}))
		require.NoError(t, err)
		require.Len(t, summary.Runs, number+1)
		require.Equal(t, 7*(number+1), summary.Calls)
		require.Len(t, summary.FaultKinds, 1)
		require.Equal(t, 2*(number+1), summary.FaultKinds[0].Count)
		require.InDelta(t, 5, summary.FaultKinds[0].WorstSeconds, 0.001)
	}
	content, err := os.ReadFile(filepath.Join(dir, report.SummaryFile))
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(content), `"seed"`))
}
