package output

import (
	"fmt"
	"io"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/ports"
)

// CheckReport prints the result of fsck. repair reports whether repairs were requested.
func (p *Printer) CheckReport(report ports.CheckReport, repair bool) error {
	if done, err := p.Encode(api.CheckFrom(report)); done {
		return err
	}
	text := new(strings.Builder)
	fmt.Fprintf(text, "checked %s, %s, %s at revision %d\n", render.Count(report.Records, "record"),
		render.Count(report.IndexKeys, "index key"), render.Count(report.LedgerEntries, "ledger entry"), report.Revision)
	for _, f := range report.Findings {
		fmt.Fprintf(text, "\n%s  %s\n", f.Kind, render.Value(f.Key))
		if f.GameID != "" {
			fmt.Fprintf(text, "  game:          %s\n", render.Value(f.GameID))
		}
		fmt.Fprintf(text, "  found:         %s\n  %s\n", render.Printable(f.Detail), repairLine(f, repair))
	}
	if len(report.Findings) == 0 {
		fmt.Fprintln(text, "clean: no inconsistency found")
	}
	_, err := io.WriteString(p.Out, text.String())
	return err
}

func repairLine(f ports.CheckFinding, repair bool) string {
	switch {
	case f.Repaired:
		return "repaired:      " + render.Printable(f.Repair)
	case f.RepairError != "":
		return "not repaired:  " + render.Printable(f.RepairError)
	case f.Repair == "":
		return "repair:        none, an operator must decide: save the value with `etcdctl get KEY`,\n" +
			"                 delete it with `etcdctl del KEY`, then run `rtmanager fsck --repair`"
	case repair:
		return "not repaired:  " + render.Printable(f.Repair)
	}
	return "repair:        would " + render.Printable(f.Repair)
}
