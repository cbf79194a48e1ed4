package output

import (
	"slices"
	"strconv"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
)

// Nodes prints the nodes that are present.
func (p *Printer) Nodes(nodes api.Nodes) error {
	if done, err := p.Encode(nodes); done {
		return err
	}
	t := &render.Table{Header: []string{"REGION", "NODE", "LEADER", "ENGINE", "VERSION", "API", "UP-SINCE"}}
	if p.isWide() {
		t.Header = append(t.Header, "RESPONDER", "JOINED", "INSTANCE", "IDENTITY", "SESSION")
	}
	for _, n := range nodes.Items {
		at := n.Ref()
		row := []string{
			render.Cell(n.Region), render.Cell(n.Name), yesOrDash(slices.Contains(nodes.Leaders, at)), render.Cell(string(n.Engine)),
			render.Cell(n.Version), render.Cell(n.API), render.Time(n.StartedAt),
		}
		if p.isWide() {
			row = append(row, yesOrDash(at == nodes.Responder), render.Time(n.Now), render.Cell(n.Instance), render.Cell(n.Identity), strconv.FormatInt(n.Session, 10))
		}
		t.Add(row...)
	}
	return p.printTable(t)
}

func yesOrDash(is bool) string {
	if is {
		return "yes"
	}
	return "-"
}
