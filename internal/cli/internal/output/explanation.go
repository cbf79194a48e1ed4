package output

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// The maximum numbers of entries, outcomes and log lines that a page shows.
const (
	maxHistoryEntries = 5
	maxOutcomes       = 5
	maxLogLines       = 20
)

// Explanation prints the page about a game. nodes shows whether the game's node is
// present; nil means that the nodes are unknown. Empty sections are omitted.
func (p *Printer) Explanation(page drift.Explanation, nodes *api.Nodes) error {
	text := new(strings.Builder)
	_ = p.summaryTable(page, nodes).Write(text, false, p.statusColor())
	section := func(title string, t *render.Table) {
		if len(t.Rows) > 0 {
			fmt.Fprintf(text, "\n%s\n", title)
			_ = t.Write(indentWriter{text}, !p.NoHeaders, p.statusColor())
		}
	}
	section("History, newest first:", entryTable(page.History))
	section("Recent operations:", outcomeTable(page.Intent))
	section("Containers:", p.containerTable(page))
	section("Drift:", p.driftTable(page.Findings))
	if lines := page.Logs[max(0, len(page.Logs)-maxLogLines):]; len(lines) > 0 {
		fmt.Fprintln(text, "\nLast log lines:")
		for _, line := range lines {
			fmt.Fprintf(text, "  | %s\n", render.OneLine(line))
		}
	}
	for i, warning := range page.Warnings {
		if i == 0 {
			fmt.Fprintln(text, "\nNot available:")
		}
		fmt.Fprintf(text, "  %s\n", render.OneLine(warning))
	}
	_, err := io.WriteString(p.Out, text.String())
	return err
}

// indentWriter indents each line by two blanks.
type indentWriter struct{ out io.Writer }

func (w indentWriter) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		if _, err := io.WriteString(w.out, "  "+line); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

func (p *Printer) summaryTable(page drift.Explanation, nodes *api.Nodes) *render.Table {
	t := &render.Table{Header: []string{"", ""}}
	t.Add("Game:", render.Value(page.GameID))
	if page.Record == nil {
		t.Add("Status:", "no record")
	} else {
		p.addRecord(t, page, nodes)
	}
	if in := page.Intent; in != nil {
		if in.DesiredStatus != "" {
			t.Add("Desired:", render.Value(string(in.DesiredStatus)))
		}
		if policy := nodeLostText(*in, page.Record); policy != "" {
			t.Add("Node lost:", policy)
		}
		if len(in.Restarts) > 0 {
			t.Add("Restarts:", fmt.Sprintf("%d after crashes, last %s ago", len(in.Restarts), p.age(in.Restarts[0])))
		}
		if in.Current != nil {
			t.Add("In progress:", p.operationText(*in.Current))
		}
	}
	return t
}

// nodeLostText describes what happens to a game when its node is lost, and is empty for a game
// that is kept.
func nodeLostText(intent operation.Intent, record *runtime.RuntimeRecord) string {
	if record == nil {
		return ""
	}
	spec := intent.SpecOf(record.CurrentContainerID)
	if spec.WithDefaults().OnNodeLost != operation.NodeLostReschedule {
		return ""
	}
	regions := []string{render.Value(record.Region)}
	for _, name := range spec.Regions {
		if name != record.Region {
			regions = append(regions, render.Value(name))
		}
	}
	return "start it on another node in " + strings.Join(regions, ", or else in ")
}

func (p *Printer) addRecord(t *render.Table, page drift.Explanation, nodes *api.Nodes) {
	r := page.Record
	t.Add("Status:", render.Value(string(r.Status)))
	since := statusSince(*r)
	t.Add("Since:", fmt.Sprintf("%s (%s ago), revision %d", render.Time(since), p.age(since), page.Revision))
	if len(page.History) > 0 {
		t.Add("Reason:", changeText(page.History[0]))
	}
	if r.Node != "" {
		t.Add("Node:", render.Value(r.Region+"/"+r.Node)+presenceText(*r, nodes))
	}
	for _, c := range page.Containers {
		if c.ID == r.CurrentContainerID {
			t.Add("Container:", render.Value(c.ID)+", "+p.containerText(c))
		}
	}
	if r.CurrentImageRef != "" {
		t.Add("Image:", render.Value(r.CurrentImageRef)+", generation "+strconv.FormatInt(r.Generation, 10))
	}
	if r.EngineEndpoint != "" {
		t.Add("Endpoint:", render.Value(r.EngineEndpoint))
	}
}
