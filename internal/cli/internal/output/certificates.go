package output

import (
	"time"

	"galaxy/rtmanager/internal/cli/internal/render"
)

// Certificate is an issued certificate.
type Certificate struct {
	Name     string    `json:"name"`
	Issuer   string    `json:"issuer"`
	Subject  string    `json:"subject"`
	NotAfter time.Time `json:"not_after"`
	// NeedsRenewal means that its authority is being replaced.
	NeedsRenewal bool   `json:"needs_renewal,omitempty"`
	File         string `json:"file"`
}

// Certificates prints issued certificates.
func (p *Printer) Certificates(certificates []Certificate) error {
	if done, err := p.Encode(certificates); done {
		return err
	}
	if len(certificates) == 0 {
		return nil
	}
	t := &render.Table{Header: []string{"NAME", "CA", "EXPIRES", "FILE"}}
	if p.isWide() {
		t.Header = append(t.Header, "SUBJECT")
	}
	for _, c := range certificates {
		expiry := render.Time(c.NotAfter)
		if c.NeedsRenewal {
			expiry += " (renew: its CA is being replaced)"
		}
		row := []string{render.Cell(c.Name), c.Issuer, expiry, render.Cell(c.File)}
		if p.isWide() {
			row = append(row, render.Cell(c.Subject))
		}
		t.Add(row...)
	}
	return p.printTable(t)
}
