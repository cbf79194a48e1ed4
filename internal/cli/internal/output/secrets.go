package output

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/secret"
)

// Secrets prints descriptions of secrets.
func (p *Printer) Secrets(list []api.Secret) error {
	if done, err := p.Encode(list); done {
		return err
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(p.Err, "No secrets. `rtmanager secret set` stores one.")
		return err
	}
	return p.printTable(p.secretTable("NAME", list, func(name string) string { return name }))
}

// Registries prints the registries with credentials.
func (p *Printer) Registries(list []api.Secret) error {
	if done, err := p.Encode(list); done {
		return err
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(p.Err, "No registries. `rtmanager secret registry set` stores the credentials of one.")
		return err
	}
	return p.printTable(p.secretTable("REGISTRY", list, func(name string) string {
		host, _ := secret.RegistryOf(name)
		return host
	}))
}

func (p *Printer) secretTable(title string, list []api.Secret, nameOf func(string) string) *render.Table {
	t := &render.Table{Header: []string{title, "VERSION", "VALUES", "GAMES", "KEY", "UPDATED", "BY"}}
	for _, s := range list {
		t.Add(render.Cell(nameOf(s.Name)), strconv.FormatInt(s.Version, 10), render.Cell(p.shorten(strings.Join(s.Keys, ","), 40)),
			render.Cell(p.shorten(gamesText(s), 40)), render.Cell(s.KeyID), p.age(s.UpdatedAt), render.Cell(s.UpdatedBy))
	}
	return t
}

// Secret prints the description of one secret, and its values if they were requested.
func (p *Printer) Secret(s api.Secret, isRevealed bool) error {
	if done, err := p.Encode(s); done {
		return err
	}
	if !isRevealed {
		return p.printTable(p.secretTable("NAME", []api.Secret{s}, func(name string) string { return name }))
	}
	for _, key := range slices.Sorted(maps.Keys(s.Values)) {
		value := s.Values[key]
		if strings.ContainsFunc(value, unicode.IsControl) {
			value = strconv.Quote(value)
		}
		if _, err := fmt.Fprintf(p.Out, "%s=%s\n", render.Printable(key), render.Printable(value)); err != nil {
			return err
		}
	}
	return nil
}

// SecretWritten prints the description of a secret that was written.
func (p *Printer) SecretWritten(s api.Secret) error {
	if done, err := p.Encode(s); done {
		return err
	}
	text := fmt.Sprintf("secret %s stored: version %d, %s\n", render.Value(s.Name), s.Version, render.Count(len(s.Keys), "value"))
	if host, isRegistry := secret.RegistryOf(s.Name); isRegistry {
		text = fmt.Sprintf("credentials of registry %s stored: version %d\n", render.Value(host), s.Version)
	}
	_, err := fmt.Fprint(p.Out, text)
	return err
}

// SecretRotation prints the result of a rotation.
func (p *Printer) SecretRotation(r api.SecretRotation) error {
	if done, err := p.Encode(r); done {
		return err
	}
	_, err := fmt.Fprintf(p.Out, "key %s: %d changed to it, %d had it before, %d failed\n", render.Value(r.KeyID), r.Rewrapped, r.Current, len(r.Failed))
	for _, failure := range r.Failed {
		if err == nil {
			_, err = fmt.Fprintf(p.Out, "  %s: %s\n", render.Value(failure.Name), render.Printable(failure.Reason))
		}
	}
	return err
}

// gamesText describes the games that may use the secret.
func gamesText(s api.Secret) string {
	_, isRegistry := secret.RegistryOf(s.Name)
	switch {
	case isRegistry:
		return ""
	case len(s.Games) == 0 && !strings.HasPrefix(s.Name, secret.OfGame("")):
		return "*"
	}
	return strings.Join(s.Games, ",")
}
