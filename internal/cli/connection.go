package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/clientconfig"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/tlsfiles"
)

// connection is the flags, the environment and the context that determine how commands reach
// the daemon.
type connection struct {
	settings      clientconfig.Settings // of flags
	isUnencrypted bool                  // of --insecure-token

	flags     *pflag.FlagSet
	lookupEnv func(string) (string, bool)

	resolved    *clientconfig.Connection // nil until a command connects
	credentials httpclient.Credentials
	tlsClient   tlsfiles.Client // the files of the TLS settings; its zero value has none
}

func (c *connection) bind(root *cobra.Command, flags *pflag.FlagSet, lookupEnv func(string) (string, bool)) {
	c.flags, c.lookupEnv = flags, lookupEnv
	flags.StringVar(&c.settings.Context, "context", "", "`NAME` of the context to use, see context; also RTMANAGER_CONTEXT")
	flags.StringVar(&c.settings.CACert, "cacert", "", "`FILE` with the CA certificates that verify the daemon; also RTMANAGER_CACERT")
	flags.StringVar(&c.settings.Cert, "cert", "", "`FILE` with the client certificate; also RTMANAGER_CERT")
	flags.StringVar(&c.settings.Key, "key", "", "`FILE` with the key of --cert; also RTMANAGER_KEY")
	flags.StringVar(&c.settings.TokenFile, "token-file", "", "`FILE` with a bearer token; also RTMANAGER_TOKEN_FILE, or RTMANAGER_TOKEN with the token itself")
	flags.BoolVar(&c.isUnencrypted, "insecure-token", false, "allow sending the token over http to another machine")
	_ = root.RegisterFlagCompletionFunc("context", c.completeContext)
}

// store returns the client configuration of the user.
func (c *connection) store() clientconfig.Store { return clientconfig.UserStore(c.lookupEnv) }

// environment returns the settings of the environment.
func (c *connection) environment() clientconfig.Settings {
	env := func(name string) string {
		value, _ := c.lookupEnv(name)
		return value
	}
	return clientconfig.Settings{
		Server: env("RTMANAGER_SERVER"), Context: env("RTMANAGER_CONTEXT"), CACert: env("RTMANAGER_CACERT"),
		Cert: env("RTMANAGER_CERT"), Key: env("RTMANAGER_KEY"), Token: env("RTMANAGER_TOKEN"), TokenFile: env("RTMANAGER_TOKEN_FILE"),
	}
}

// flagSettings returns the settings of flags that were given.
func (c *connection) flagSettings(server string) clientconfig.Settings {
	settings := c.settings
	if c.flags.Changed("server") {
		settings.Server = server
	}
	return settings
}

// connect determines the server and the credentials, once.
func (g *globals) connect() error {
	c := &g.connection
	if c.resolved != nil {
		return nil
	}
	resolved, err := c.resolve(g.server)
	if err != nil {
		return exit.UsageError{Err: err}
	}
	return g.connectTo(resolved)
}

// hasCertificate reports whether the client presents a certificate.
func (c *connection) hasCertificate() bool { return c.resolved != nil && c.resolved.Cert != "" }

// connectTo selects the server and opens the credentials of a connection.
func (g *globals) connectTo(resolved clientconfig.Connection) error {
	g.server = resolved.Server
	credentials, err := g.connection.openCredentials(resolved)
	if err != nil {
		return err
	}
	g.connection.resolved, g.connection.credentials = &resolved, credentials
	return nil
}

// resolve merges flags, environment and context, in this order of precedence.
func (c *connection) resolve(server string) (clientconfig.Connection, error) {
	file, err := c.store().Load()
	if err != nil {
		return clientconfig.Connection{}, err
	}
	resolved, err := clientconfig.Resolve(c.flagSettings(server).Merge(c.environment()), file)
	switch {
	case err != nil:
		return clientconfig.Connection{}, err
	case (resolved.Cert == "") != (resolved.Key == ""):
		return clientconfig.Connection{}, fmt.Errorf("--cert and --key, or RTMANAGER_CERT and RTMANAGER_KEY, must be given together")
	case resolved.Token != "":
		if err := clientconfig.ValidateToken(resolved.Token); err != nil {
			return clientconfig.Connection{}, fmt.Errorf("RTMANAGER_TOKEN: %w", err)
		}
	}
	return resolved, nil
}

// openCredentials opens the files of the credentials. They are read a second time when they
// change.
func (c *connection) openCredentials(resolved clientconfig.Connection) (httpclient.Credentials, error) {
	credentials := httpclient.Credentials{Token: c.tokenSource(resolved), AllowUnencrypted: c.isUnencrypted}
	c.tlsClient = tlsfiles.Client{}
	if !hasScheme(resolved.Server, "https") {
		return credentials, nil
	}
	var err error
	if resolved.CACert != "" {
		if c.tlsClient.Roots, err = tlsfiles.OpenPool(resolved.CACert, nil); err != nil {
			return httpclient.Credentials{}, err
		}
	}
	if resolved.Cert != "" {
		if c.tlsClient.Cert, err = tlsfiles.OpenKeyPair(resolved.Cert, resolved.Key, nil); err != nil {
			return httpclient.Credentials{}, err
		}
	}
	return credentials, nil
}

// tokenSource returns the source of the bearer token, nil for none.
func (c *connection) tokenSource(resolved clientconfig.Connection) func(context.Context) (string, error) {
	switch {
	case resolved.Token != "":
		return func(context.Context) (string, error) { return resolved.Token, nil }
	case resolved.TokenFile != "":
		file := clientconfig.NewTokenFile(resolved.TokenFile)
		return func(context.Context) (string, error) { return file.Token() }
	case resolved.Login != nil:
		source := &loginSource{store: c.store(), context: resolved.ContextName, login: *resolved.Login}
		return source.Token
	default:
		return nil
	}
}
