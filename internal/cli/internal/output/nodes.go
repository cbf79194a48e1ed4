package output

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/node"
)

// Nodes prints the present, stopped and lost nodes. It warns about lost nodes, about
// clocks that differ, and about a list that may be old.
func (p *Printer) Nodes(nodes api.Nodes) error {
	if done, err := p.Encode(nodes); done {
		return err
	}
	if nodes.Stale {
		_, _ = fmt.Fprintln(p.Err, "warning: no majority of etcd's members is reachable from this daemon; the nodes are as last known there")
	}
	if len(nodes.Items) == 0 {
		_, err := fmt.Fprintln(p.Err, "No node has joined. A daemon with --engine none is no node: start a daemon with an engine.")
		return err
	}
	t := &render.Table{Header: []string{"REGION", "NODE", "STATUS", "LEADER", "GAMES", "ENGINE", "AGE", "API"}}
	if p.isWide() {
		t.Header = append(t.Header, "RUNNING", "CPUS", "MEMORY", "LABELS", "TAINTS", "VERSION", "CLOCK", "RESPONDER", "STARTED", "INSTANCE", "IDENTITY", "SESSION", "MAINTENANCE")
	}
	for _, n := range nodes.Items {
		at := n.Ref()
		row := []string{
			render.Cell(n.Region), render.Cell(n.Name), p.nodeStatus(n), yesOrDash(n.IsReady() && slices.Contains(nodes.Leaders, at)), strconv.Itoa(n.Games),
			render.Cell(string(n.Engine)), p.nodeAge(n), render.Cell(n.API),
		}
		if p.isWide() {
			row = append(row, gameCountText(n.Used, n.Capacity), cpusText(n.Used, n.Capacity), memoryText(n.Used, n.Capacity), labelsText(n.Labels), taintsText(n.Taints),
				render.Cell(n.Version), clockText(n), yesOrDash(at == nodes.Responder), render.Time(n.StartedAt),
				render.Cell(n.Instance), render.Cell(n.Identity), strconv.FormatInt(n.Session, 10), maintenanceText(n.Settings))
		}
		t.Add(row...)
	}
	if err := p.printTable(t); err != nil {
		return err
	}
	p.RegionWarnings(api.RegionStates(nodes.Regions))
	for _, r := range nodes.Regions {
		if r.Paused != nil {
			_, _ = fmt.Fprintf(p.Err, "region %s is paused since %s: %s\n", render.Value(r.Region), r.Paused.At.UTC().Format(time.RFC3339), render.Printable(r.Paused.String()))
		}
	}
	for _, n := range nodes.Items {
		if n.ClockOffset != "" {
			side := "ahead of"
			if strings.HasPrefix(n.ClockOffset, "-") {
				side = "behind"
			}
			_, _ = fmt.Fprintf(p.Err, "warning: the clock of node %s is at least %s %s that of node %s; synchronize the clocks\n",
				render.Value(n.Ref().String()), strings.TrimPrefix(n.ClockOffset, "-"), side, render.Value(nodes.Responder.String()))
		}
	}
	return nil
}

// nodeStatus returns the status of a node, with the time since which it is absent.
func (p *Printer) nodeStatus(n api.Node) string {
	since := n.LostSince
	if n.Status == node.StatusStopped {
		since = n.StoppedSince
	}
	if since == nil {
		return render.Cell(string(n.Status)) + conditionsText(n.Settings)
	}
	return fmt.Sprintf("%s%s since %s", n.Status, conditionsText(n.Settings), since.UTC().Format(time.RFC3339))
}

// conditionsText returns the settings of a node as a suffix of its status, such as ",cordoned".
func conditionsText(settings node.Settings) string {
	text := ""
	for _, condition := range settings.Conditions() {
		text += "," + string(condition)
	}
	return text
}

// maintenanceText returns what operators have set for a node, why and since when.
func maintenanceText(settings node.Settings) string {
	var texts []string
	add := func(condition node.Condition, mark *node.Mark) {
		if mark == nil {
			return
		}
		text := fmt.Sprintf("%s since %s", condition, mark.At.UTC().Format(time.RFC3339))
		if detail := mark.String(); detail != "" {
			text += ": " + detail
		}
		texts = append(texts, text)
	}
	if d := settings.Drain; d != nil {
		condition := node.ConditionDraining
		if !d.IsActive() {
			condition = "drain finished"
		}
		add(condition, &d.Mark)
		texts[0] += fmt.Sprintf(" (%d moved, %d stopped, %d failed, %d remaining)", d.MoveCount, d.Stopped, d.Failed, d.Remaining)
	} else {
		add(node.ConditionCordoned, settings.Cordoned)
	}
	add(node.ConditionPaused, settings.Paused)
	if len(texts) == 0 {
		return "-"
	}
	return render.Cell(strings.Join(texts, "; "))
}

// nodeAge returns for how long the daemon of a present node has been running.
func (p *Printer) nodeAge(n api.Node) string {
	if !n.IsReady() || n.StartedAt.IsZero() {
		return "-"
	}
	return p.age(n.StartedAt)
}

// clockText returns by how much the clock of a node differs.
func clockText(n api.Node) string {
	switch {
	case !n.IsReady():
		return "-"
	case n.ClockOffset == "":
		return "ok"
	case strings.HasPrefix(n.ClockOffset, "-"):
		return n.ClockOffset
	default:
		return "+" + n.ClockOffset
	}
}

func yesOrDash(is bool) string {
	if is {
		return "yes"
	}
	return "-"
}
