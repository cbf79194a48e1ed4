package clientconfig_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/cli/internal/clientconfig"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	login := &clientconfig.Login{Issuer: "https://login.example.com", IDToken: "i"}
	prod := clientconfig.Context{Server: "https://prod:1", CACert: "/ca", Cert: "/c", Key: "/k", Login: login}
	file := clientconfig.File{Current: "prod", Contexts: map[string]clientconfig.Context{"prod": prod, "ci": {Server: "https://ci:1", Token: "t"}}}

	for name, test := range map[string]struct {
		flags, env clientconfig.Settings
		file       clientconfig.File
		want       clientconfig.Context
		context    string
	}{
		"nothing":             {want: clientconfig.Context{Server: clientconfig.DefaultServer}},
		"current context":     {file: file, context: "prod", want: prod},
		"named context":       {flags: clientconfig.Settings{Context: "ci"}, env: clientconfig.Settings{Context: "prod"}, file: file, context: "ci", want: file.Contexts["ci"]},
		"context of variable": {env: clientconfig.Settings{Context: "ci"}, file: file, context: "ci", want: file.Contexts["ci"]},
		"same server":         {flags: clientconfig.Settings{Server: "https://PROD:1/"}, file: file, context: "prod", want: clientconfig.Context{Server: "https://PROD:1/", CACert: "/ca", Cert: "/c", Key: "/k", Login: login}},
		// Credentials are not sent to another server.
		"another server":            {flags: clientconfig.Settings{Server: "https://evil"}, file: file, want: clientconfig.Context{Server: "https://evil"}},
		"another server, variable":  {env: clientconfig.Settings{Server: "https://evil"}, file: file, want: clientconfig.Context{Server: "https://evil"}},
		"http instead of https":     {flags: clientconfig.Settings{Server: "http://prod:1"}, file: file, want: clientconfig.Context{Server: "http://prod:1"}},
		"token replaces the login":  {env: clientconfig.Settings{Token: "x"}, file: file, context: "prod", want: clientconfig.Context{Server: "https://prod:1", CACert: "/ca", Cert: "/c", Key: "/k", Token: "x"}},
		"flags before variables":    {flags: clientconfig.Settings{TokenFile: "/f", Cert: "/c2", Key: "/k2"}, env: clientconfig.Settings{Token: "x", Cert: "/c3"}, want: clientconfig.Context{Server: clientconfig.DefaultServer, TokenFile: "/f", Cert: "/c2", Key: "/k2"}},
		"token before its file":     {env: clientconfig.Settings{Token: "x", TokenFile: "/f"}, want: clientconfig.Context{Server: clientconfig.DefaultServer, Token: "x"}},
		"keys stay with their cert": {flags: clientconfig.Settings{Cert: "/c2"}, env: clientconfig.Settings{Key: "/k3"}, want: clientconfig.Context{Server: clientconfig.DefaultServer, Cert: "/c2"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := clientconfig.Resolve(test.flags.Merge(test.env), test.file)
			require.NoError(t, err)
			require.Equal(t, clientconfig.Connection{ContextName: test.context, Context: test.want}, got)
		})
	}

	_, err := clientconfig.Resolve(clientconfig.Settings{Context: "prod", Server: "https://evil"}, file)
	require.EqualError(t, err, `--server https://evil is not a server of context "prod", https://prod:1; use one of them`)
	_, err = clientconfig.Resolve(clientconfig.Settings{Context: "dev"}, file)
	require.EqualError(t, err, `context "dev" does not exist; use one of ci, prod`)
	_, err = clientconfig.Resolve(clientconfig.Settings{}, clientconfig.File{Current: "dev"})
	require.ErrorContains(t, err, `context "dev" does not exist`)
}

func TestRedacted(t *testing.T) {
	t.Parallel()
	c := clientconfig.Context{Token: "secret", Login: &clientconfig.Login{IDToken: "secret", RefreshToken: "secret"}}
	shown := c.Redacted()
	require.Equal(t, clientconfig.Context{Token: "REDACTED", Login: &clientconfig.Login{IDToken: "REDACTED", RefreshToken: "REDACTED"}}, shown)
	require.Equal(t, "secret", c.Login.IDToken, "the original is unchanged")
}
