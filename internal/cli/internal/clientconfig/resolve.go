package clientconfig

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// DefaultServer is the server without flags, environment and context.
const DefaultServer = "http://127.0.0.1:8080"

// Settings are what the command line, or the environment, sets. Empty fields are not set.
type Settings struct {
	Server, Context, CACert, Cert, Key, Token, TokenFile string
}

// Merge returns the settings with those of less precedence added. A certificate and its key
// are taken together, and so are the two ways to give a token.
func (s Settings) Merge(lower Settings) Settings {
	if s.Server == "" {
		s.Server = lower.Server
	}
	if s.Context == "" {
		s.Context = lower.Context
	}
	if s.CACert == "" {
		s.CACert = lower.CACert
	}
	if s.Cert == "" && s.Key == "" {
		s.Cert, s.Key = lower.Cert, lower.Key
	}
	if s.Token == "" && s.TokenFile == "" {
		s.Token, s.TokenFile = lower.Token, lower.TokenFile
		if s.Token != "" {
			s.TokenFile = ""
		}
	}
	return s
}

// Connection is how to reach a daemon.
type Connection struct {
	// ContextName is the context that contributes to the connection; empty for none.
	ContextName string
	Context
}

// Resolve returns the connection that settings and contexts describe together. Settings take
// precedence over a context.
//
// The credentials of a context are for its server only. If the settings name another server,
// the current context is not used, and a context that they name explicitly is an error.
func Resolve(settings Settings, file File) (Connection, error) {
	name := settings.Context
	if name == "" {
		name = file.Current
	}
	base, exists := file.Contexts[name]
	switch {
	case name == "":
	case !exists:
		return Connection{}, unknownContextError(name, file)
	case settings.Server == "" || areServersOf(settings.Server, base.Server):
	case settings.Context != "":
		return Connection{}, fmt.Errorf("--server %s is not a server of context %q, %s; use one of them", settings.Server, name, base.Server)
	default:
		name, base = "", Context{}
	}
	return Connection{ContextName: name, Context: apply(settings, base)}, nil
}

// apply returns the context with the settings in place of its fields.
func apply(settings Settings, c Context) Context {
	lower := Settings{Server: c.Server, CACert: c.CACert, Cert: c.Cert, Key: c.Key}
	merged := settings.Merge(lower)
	if settings.Token != "" || settings.TokenFile != "" {
		c = c.WithoutCredentials()
		c.Token, c.TokenFile = merged.Token, merged.TokenFile
	}
	c.Server, c.CACert, c.Cert, c.Key = merged.Server, merged.CACert, merged.Cert, merged.Key
	if c.Server == "" {
		c.Server = DefaultServer
	}
	return c
}

// unknownContextError returns the error of a context that is not in the file.
func unknownContextError(name string, file File) error {
	if len(file.Contexts) == 0 {
		return fmt.Errorf("context %q does not exist; `rtmanager context set` adds one", name)
	}
	names := slices.Sorted(maps.Keys(file.Contexts))
	return fmt.Errorf("context %q does not exist; use one of %s", name, strings.Join(names, ", "))
}

// Find returns the context of the name.
func (f File) Find(name string) (Context, error) {
	c, exists := f.Contexts[name]
	if !exists {
		return Context{}, unknownContextError(name, f)
	}
	return c, nil
}
