package output

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
)

// ClusterMembers prints the etcd members with their addresses.
func (p *Printer) ClusterMembers(c api.ClusterMembers) error {
	if done, err := p.Encode(c); done {
		return err
	}
	t := &render.Table{Header: []string{"MEMBER", "ID", "ROLE", "PEERS", "CLIENTS"}}
	for _, m := range c.Members {
		t.Add(memberName(m), render.Cell(m.ID), string(m.Role), urlsCell(m.PeerURLs), urlsCell(m.ClientURLs))
	}
	if err := p.printTable(t); err != nil {
		return err
	}
	p.warnOfLocalList(c)
	return nil
}

// ClusterStatus prints the quorum, what each member reports, and warnings.
func (p *Printer) ClusterStatus(c api.ClusterMembers) error {
	if done, err := p.Encode(c); done {
		return err
	}
	_, _ = fmt.Fprintf(p.Out, "%s (cluster %s, seen by %s)\n", c.Quorum.Text, render.Value(c.ClusterID), render.Value(c.Responder.String()))
	if c.Timing != nil {
		_, _ = fmt.Fprintf(p.Out, "heartbeat %s, election %s\n", milliseconds(float64(c.Timing.HeartbeatMS)), milliseconds(float64(c.Timing.ElectionMS)))
	}
	t := &render.Table{Header: []string{"MEMBER", "ROLE", "STATE", "ROUND TRIP", "DB", "LAG", "VERSION", "CERT EXPIRES"}}
	if p.isWide() {
		t.Header = append(t.Header, "ID", "IN USE", "RAFT INDEX", "HEARTBEAT", "CLIENTS")
	}
	for _, m := range c.Members {
		t.Add(p.statusRow(m)...)
	}
	if err := p.printTable(t); err != nil {
		return err
	}
	if len(c.Certificates) > 0 {
		expiries := make([]string, 0, len(c.Certificates))
		for _, file := range c.Certificates {
			expiries = append(expiries, render.Cell(file.Use)+" in "+p.daysUntil(file.NotAfter))
		}
		_, _ = fmt.Fprintf(p.Out, "certificates of %s expire: %s\n", render.Value(c.Responder.String()), strings.Join(expiries, ", "))
	}
	for _, m := range c.Members {
		if m.Error != "" {
			_, _ = fmt.Fprintf(p.Out, "%s: %s\n", memberName(m), render.OneLine(m.Error))
		}
	}
	p.warnOfLocalList(c)
	for _, warning := range c.Warnings {
		_, _ = fmt.Fprintf(p.Err, "warning: %s\n", render.OneLine(warning))
	}
	return nil
}

func (p *Printer) warnOfLocalList(c api.ClusterMembers) {
	if c.Local {
		_, _ = fmt.Fprintf(p.Err, "warning: no quorum confirms this list; it is the one that the member of %s has stored\n", render.Value(c.Responder.String()))
	}
}

func (p *Printer) statusRow(m api.ClusterMember) []string {
	row := []string{memberName(m), string(m.Role), memberState(m), "-", "-", "-", "-", "-"}
	if m.Error == "" {
		row[3], row[4], row[5], row[6] = milliseconds(m.RoundTripMS), bytesText(m.DBBytes), strconv.FormatInt(m.RaftLag, 10), render.Cell(m.Version)
		if m.Embedded {
			row[3] = "own"
		}
	}
	if m.CertificateNotAfter != nil {
		row[7] = "in " + p.daysUntil(*m.CertificateNotAfter)
	}
	if p.isWide() {
		heartbeat := "-"
		if m.Timing != nil {
			heartbeat = milliseconds(float64(m.Timing.HeartbeatMS))
		}
		row = append(row, render.Cell(m.ID), bytesText(m.DBBytesInUse), strconv.FormatInt(m.RaftIndex, 10), heartbeat, urlsCell(m.ClientURLs))
	}
	return row
}

// MemberRemoved prints the removal of a member, and the next commands.
func (p *Printer) MemberRemoved(r api.MemberRemoval, next []string) error {
	if done, err := p.Encode(memberRemoved{r, next}); done {
		return err
	}
	name := memberName(r.Member)
	if r.DryRun {
		_, err := fmt.Fprintf(p.Out, "member %s would be removed: %s\n", name, r.After.Text)
		return err
	}
	text := fmt.Sprintf("member %s removed: %s\n", name, r.After.Text)
	if len(next) > 0 {
		text += "\nStart its successor, with an empty data directory. On the old host, remove etcd and cluster.json from it,\nand nothing else:\n  " + strings.Join(next, "\n  ") + "\n"
	} else if strings.Contains(r.Member.Name, "/") {
		text += "`rtmanager nodes remove " + name + "` removes the node from the list of nodes, when its games run elsewhere\n"
	}
	_, err := fmt.Fprint(p.Out, text)
	return err
}

type memberRemoved struct {
	api.MemberRemoval
	// NextCommands start the successor of the member.
	NextCommands []string `json:"next_commands,omitempty"`
}

func memberName(m api.ClusterMember) string { return render.Cell(m.Label()) }

func memberState(m api.ClusterMember) string {
	switch {
	case m.Error == "":
		return "responds"
	case m.Responds:
		return "peer only"
	}
	return "no response"
}

func urlsCell(urls []string) string {
	if len(urls) == 0 {
		return "-"
	}
	return render.Cell(strings.Join(urls, ","))
}

// daysUntil returns the days until the time.
func (p *Printer) daysUntil(at time.Time) string {
	return render.Count(int(at.Sub(p.Now()).Hours()/24), "day")
}

func milliseconds(ms float64) string {
	return time.Duration(ms * float64(time.Millisecond)).Round(10 * time.Microsecond).String()
}

// bytesText returns a size in the largest unit that fits.
func bytesText(n int64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%d KiB", n>>10)
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}
