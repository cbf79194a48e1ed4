package clientconfig

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// File is the content of the configuration file.
type File struct {
	// Current names the context that commands use by default; empty for none.
	Current string `json:"current-context,omitempty"`
	// Contexts are the contexts by name.
	Contexts map[string]Context `json:"contexts,omitempty"`
}

// Context is a daemon and the credentials for it. Files are absolute paths.
type Context struct {
	// Server is the URL of the daemon, or those of several daemons of one store, separated by commas.
	Server string `json:"server"`
	// CACert has the authorities that verify the daemon; empty selects those of the system.
	CACert string `json:"cacert,omitempty"`
	// Cert and Key are the client certificate and its key; both or neither are set.
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`
	// Token is a bearer token, and TokenFile a file with one. At most one is set.
	Token     string `json:"token,omitempty"`
	TokenFile string `json:"token-file,omitempty"`
	// Login is the result of a login at an identity provider; nil for none.
	Login *Login `json:"login,omitempty"`
}

// redacted replaces a secret.
const redacted = "REDACTED"

// Redacted returns the context without secrets.
func (c Context) Redacted() Context {
	if c.Token != "" {
		c.Token = redacted
	}
	if c.Login != nil {
		login := *c.Login
		login.IDToken = redacted
		if login.RefreshToken != "" {
			login.RefreshToken = redacted
		}
		c.Login = &login
	}
	return c
}

// WithSettings returns the context with the settings in place of its fields. Another server removes
// the credentials that are sent to a server, and another token replaces a login.
func (c Context) WithSettings(settings Settings) Context {
	if settings.Server != "" && c.Server != "" && !areServersOf(settings.Server, c.Server) {
		c = c.WithoutCredentials()
	}
	return apply(settings, c)
}

// WithoutCredentials returns the context without tokens and login, which are for one server
// only.
func (c Context) WithoutCredentials() Context {
	c.Token, c.TokenFile, c.Login = "", "", nil
	return c
}

// Credentials describes the kinds of credentials, such as "certificate, token"; "none"
// without any.
func (c Context) Credentials() string {
	var kinds []string
	if c.Cert != "" {
		kinds = append(kinds, "certificate")
	}
	switch {
	case c.Token != "" || c.TokenFile != "":
		kinds = append(kinds, "token")
	case c.Login != nil:
		kinds = append(kinds, "login")
	}
	if len(kinds) == 0 {
		return "none"
	}
	return strings.Join(kinds, ", ")
}

// maxNameBytes bounds the name of a context.
const maxNameBytes = 128

// ValidateName returns an error unless the text can name a context.
func ValidateName(name string) error {
	isInvalid := func(c rune) bool { return !unicode.IsPrint(c) || c == ' ' }
	if name == "" || len(name) > maxNameBytes || strings.ContainsFunc(name, isInvalid) {
		return fmt.Errorf("%.64q cannot name a context; use up to %d printable characters without spaces", name, maxNameBytes)
	}
	return nil
}

// Validate returns an error that names the invalid field.
func (c Context) Validate() error {
	if err := ValidateServers(c.Server); err != nil {
		return err
	}
	switch {
	case (c.Cert == "") != (c.Key == ""):
		return errors.New("cert and key must be set together")
	case c.Token != "" && c.TokenFile != "":
		return errors.New("token and token-file exclude each other")
	}
	if c.Token != "" {
		return ValidateToken(c.Token)
	}
	return nil
}
