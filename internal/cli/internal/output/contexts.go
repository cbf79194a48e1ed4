package output

import (
	"fmt"
	"time"

	"galaxy/rtmanager/internal/cli/internal/render"
)

// Contexts are the contexts of the client.
type Contexts struct {
	Items []Context `json:"items"`
}

// Context is one context of the client, without secrets.
type Context struct {
	Name        string `json:"name"`
	Current     bool   `json:"current"`
	Server      string `json:"server"`
	Credentials string `json:"credentials"`
	CACert      string `json:"cacert,omitempty"`
	Cert        string `json:"cert,omitempty"`
	Key         string `json:"key,omitempty"`
	Token       string `json:"token,omitempty"` // redacted
	TokenFile   string `json:"token_file,omitempty"`
	Issuer      string `json:"issuer,omitempty"`
	// LoginExpiresAt is when the login must be refreshed; nil without a login.
	LoginExpiresAt *time.Time `json:"login_expires_at,omitempty"`
}

// Contexts prints the list of contexts.
func (p *Printer) Contexts(contexts Contexts) error {
	if done, err := p.Encode(contexts); done {
		return err
	}
	if len(contexts.Items) == 0 {
		_, err := fmt.Fprintln(p.Err, "No contexts. `rtmanager context set` adds one.")
		return err
	}
	t := &render.Table{Header: []string{"NAME", "CURRENT", "SERVER", "CREDENTIALS"}}
	for _, c := range contexts.Items {
		t.Add(render.Cell(c.Name), yesOrDash(c.Current), render.Cell(c.Server), c.Credentials)
	}
	return p.printTable(t)
}

// Context prints one context.
func (p *Printer) Context(c Context) error {
	if done, err := p.Encode(c); done {
		return err
	}
	t := &render.Table{Header: []string{"", ""}}
	t.Add("Name:", render.Cell(c.Name))
	t.Add("Server:", render.Cell(c.Server))
	t.Add("Credentials:", c.Credentials)
	for _, row := range [][2]string{
		{"CA certificates:", c.CACert}, {"Certificate:", c.Cert}, {"Key:", c.Key}, {"Token:", c.Token}, {"Token file:", c.TokenFile}, {"Issuer:", c.Issuer},
	} {
		if row[1] != "" {
			t.Add(row[0], render.Cell(row[1]))
		}
	}
	if c.LoginExpiresAt != nil {
		t.Add("Login expires:", render.Time(*c.LoginExpiresAt))
	}
	return t.Write(p.Out, false, nil)
}
