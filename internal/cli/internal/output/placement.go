package output

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/node"
)

// Placement prints on which node a start would run the game, and each node with its rank or the
// reason why it does not fit.
func (p *Printer) Placement(gameID string, placement api.Placement) error {
	if done, err := p.Encode(placement); done {
		return err
	}
	text := "no node of region " + render.Value(placement.Region)
	if placement.Node != "" {
		text = "on " + render.Value(placement.Region+"/"+placement.Node)
	}
	if _, err := fmt.Fprintf(p.Out, "%s start (dry run): %s\n", render.Value(gameID), text); err != nil {
		return err
	}
	isSpread := slices.ContainsFunc(placement.Nodes, func(c api.Candidate) bool { return c.SpreadValue != "" })
	t := &render.Table{Header: []string{"RANK", "REGION", "NODE", "GAMES", "CPUS", "MEMORY", "IMAGE", "FAILURES", "REASON"}}
	if isSpread {
		t.Header = slices.Insert(t.Header, 8, "SPREAD")
	}
	for _, c := range placement.Nodes {
		rank := "-"
		if c.Rank > 0 {
			rank = strconv.Itoa(c.Rank)
		}
		row := []string{rank, render.Cell(c.Region), render.Cell(c.Node), gameCountText(c.Used, c.Capacity), cpusText(c.Used, c.Capacity), memoryText(c.Used, c.Capacity),
			yesOrDash(c.HasImage), strconv.Itoa(c.Failures), render.SentenceCell(c.Reason)}
		if isSpread {
			row = slices.Insert(row, 8, render.Cell(fmt.Sprintf("%s: %d", cmp.Or(c.SpreadValue, "-"), c.SpreadGames)))
		}
		t.Add(row...)
	}
	return p.printTable(t)
}

// gameCountText returns the number of games, and the limit of the node if it has one.
func gameCountText(used node.Usage, capacity node.Capacity) string {
	if capacity.Games == 0 {
		return strconv.Itoa(used.Games)
	}
	return fmt.Sprintf("%d/%d", used.Games, capacity.Games)
}

func cpusText(used node.Usage, capacity node.Capacity) string {
	text := humanize.FtoaWithDigits(used.CPUs, 2)
	if capacity.CPUs > 0 {
		text += "/" + humanize.FtoaWithDigits(capacity.CPUs, 2)
	}
	return text
}

func memoryText(used node.Usage, capacity node.Capacity) string {
	text := humanize.IBytes(uint64(max(used.MemoryBytes, 0)))
	if capacity.MemoryBytes > 0 {
		text += "/" + humanize.IBytes(uint64(capacity.MemoryBytes))
	}
	return text
}

// labelsText returns KEY=VALUE of each label.
func labelsText(labels map[string]string) string {
	texts := make([]string, 0, len(labels))
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		texts = append(texts, key+"="+labels[key])
	}
	return render.Cell(strings.Join(texts, ","))
}

// taintsText returns KEY=VALUE:EFFECT of each taint.
func taintsText(taints []node.Taint) string {
	texts := make([]string, len(taints))
	for i, taint := range taints {
		texts[i] = taint.String()
	}
	return render.Cell(strings.Join(texts, ","))
}
