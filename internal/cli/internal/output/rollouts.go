package output

import (
	"fmt"
	"strconv"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
)

// Rollouts prints rollouts.
func (p *Printer) Rollouts(rollouts api.RolloutList) error {
	if done, err := p.Encode(rollouts); done {
		return err
	}
	if len(rollouts.Items) == 0 {
		_, err := fmt.Fprintln(p.Err, "rtmanager: rollout: none")
		return err
	}
	t := &render.Table{Header: []string{"ID", "STATE", "IMAGE", "GAMES", "UPDATED", "FAILED", "REVERTED", "AGE", "BY"}}
	if p.isWide() {
		t.Header = append(t.Header, "SELECTED", "MESSAGE")
	}
	for _, r := range rollouts.Items {
		row := []string{
			render.Cell(r.ID), render.Cell(string(r.State)), render.Cell(r.Image), strconv.Itoa(r.Counts.Total), strconv.Itoa(r.Counts.Updated + r.Counts.Unchanged),
			strconv.Itoa(r.Counts.Failed + r.Counts.RevertFailed), strconv.Itoa(r.Counts.Reverted), p.age(r.CreatedAt), render.Cell(r.By.Name),
		}
		if p.isWide() {
			row = append(row, render.SentenceCell(r.Selector), render.SentenceCell(r.Message))
		}
		t.Add(row...)
	}
	return p.printTable(t)
}
