package output

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/access"
)

// Identity prints the identity of the caller.
func (p *Printer) Identity(identity api.Identity) error {
	if done, err := p.Encode(identity); done {
		return err
	}
	t := &render.Table{Header: []string{"", ""}}
	subject := "none; the daemon does not authenticate callers"
	if identity.Subject != "" {
		subject = render.Cell(identity.Subject)
	}
	t.Add("Subject:", subject)
	t.Add("Proven by:", render.Cell(string(identity.Method)))
	if len(identity.Groups) > 0 {
		t.Add("Groups:", render.SentenceCell(strings.Join(identity.Groups, " ")))
	}
	t.Add("Roles:", grantsText(identity.Grants))
	if identity.ExpiresAt != nil {
		t.Add("Expires:", render.Time(*identity.ExpiresAt))
	}
	return t.Write(p.Out, false, nil)
}

// grantsText returns the text form of roles, a dash without any.
func grantsText(grants []access.Grant) string {
	if len(grants) == 0 {
		return "-"
	}
	texts := make([]string, len(grants))
	for i, grant := range grants {
		texts[i] = grant.String()
	}
	return render.SentenceCell(strings.Join(texts, " "))
}

// Decision prints whether a subject has a permission.
func (p *Printer) Decision(decision api.Decision) error {
	if done, err := p.Encode(decision); done {
		return err
	}
	text := "no"
	switch {
	case decision.Allowed:
		text = "yes"
	case strings.Contains(decision.Reason, "with the labels"):
		text += ": " + render.SentenceCell(decision.Reason)
	}
	_, err := fmt.Fprintln(p.Out, text)
	return err
}

// NewToken prints the text of a token, and a message about it.
func (p *Printer) NewToken(token api.NewToken) error {
	expires := "never expires"
	if token.ExpiresAt != nil {
		expires = "expires at " + render.Time(*token.ExpiresAt)
	}
	_, _ = fmt.Fprintf(p.Err, "token %s %s; it cannot be shown a second time\n", render.Value(token.Name), expires)
	if done, err := p.Encode(token); done {
		return err
	}
	_, err := fmt.Fprintln(p.Out, token.Text)
	return err
}

// Tokens prints the list of tokens.
func (p *Printer) Tokens(tokens []api.Token) error {
	if done, err := p.Encode(api.Tokens{Items: tokens}); done {
		return err
	}
	if len(tokens) == 0 {
		_, err := fmt.Fprintln(p.Err, "No tokens. `rtmanager token create` creates one.")
		return err
	}
	t := &render.Table{Header: []string{"NAME", "ROLES", "EXPIRES", "LAST USED", "CREATED", "BY"}}
	for _, token := range tokens {
		t.Add(render.Cell(token.Name), grantsText(token.Grants), p.expiry(token.ExpiresAt), timeOrDash(token.LastUsedAt), render.Time(token.CreatedAt), render.Cell(token.CreatedBy))
	}
	return p.printTable(t)
}

// expiry returns when a token expires or has expired.
func (p *Printer) expiry(at *time.Time) string {
	switch {
	case at == nil:
		return "never"
	case !at.After(p.Now()):
		return "expired"
	default:
		return render.Time(*at)
	}
}

func timeOrDash(at *time.Time) string {
	if at == nil {
		return "-"
	}
	return render.Time(*at)
}

// Roles prints the roles of subjects and groups.
func (p *Printer) Roles(bindings []access.Binding) error {
	if done, err := p.Encode(api.Roles{Items: bindings}); done {
		return err
	}
	if len(bindings) == 0 {
		_, err := fmt.Fprintln(p.Err, "No roles are granted. `rtmanager role grant` grants one.")
		return err
	}
	t := &render.Table{Header: []string{"SUBJECT", "ROLES", "CHANGED", "BY"}}
	for _, b := range bindings {
		t.Add(render.Cell(b.Subject), grantsText(b.Grants), render.Time(b.UpdatedAt), render.Cell(b.UpdatedBy))
	}
	return p.printTable(t)
}

// Binding prints the roles of one subject after a change.
func (p *Printer) Binding(b access.Binding) error {
	if done, err := p.Encode(b); done {
		return err
	}
	text := "has no granted role"
	switch isToken := strings.HasPrefix(b.Subject, access.PrefixToken); {
	case slices.ContainsFunc(b.Grants, func(g access.Grant) bool { return g.Role == access.RoleNone }):
		text = "has " + grantsText(b.Grants) + "; the role none denies everything"
	case len(b.Grants) > 0:
		text = "has " + grantsText(b.Grants)
	case isToken:
		text += "; roles that the token was created with remain"
	}
	_, err := fmt.Fprintf(p.Out, "%s %s\n", render.Value(b.Subject), text)
	return err
}
