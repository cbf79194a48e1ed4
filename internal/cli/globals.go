package cli

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/clientconfig"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// defaultTimeout is the default of --timeout.
const defaultTimeout = 30 * time.Second

// globals are the flags of all commands.
type globals struct {
	server    string
	store     string // of --store; empty for the store of the daemon
	output    string
	timeout   time.Duration
	noColor   bool
	noHeaders bool

	isColorAllowed bool // the environment and the terminal allow colors

	connection connection
	// backup serves requests from a backup in place of a daemon; nil for a daemon.
	backup http.RoundTripper
}

func (g *globals) bind(root *cobra.Command, streams Streams) {
	env := func(name, fallback string) string {
		if value, ok := streams.LookupEnv(name); ok && value != "" {
			return value
		}
		return fallback
	}
	flags := root.PersistentFlags()
	g.server = clientconfig.DefaultServer
	flags.Var(&serverList{target: &g.server}, "server", "`URL` of the daemon, or those of several daemons of one store, separated by commas: the first that responds is used; repeatable; also RTMANAGER_SERVER")
	flags.StringVar(&g.store, "store", "", "`NAME` of another store that the daemon federates, see stores: the command is for that store")
	flags.StringVarP(&g.output, "output", "o", "", "output `FORMAT`, see help output: "+strings.Join(output.Formats(), ", ")+"; also RTMANAGER_OUTPUT")
	// Set them after the declaration: otherwise the help would show them as defaults.
	g.server, g.output = env("RTMANAGER_SERVER", g.server), env("RTMANAGER_OUTPUT", g.output)
	flags.DurationVar(&g.timeout, "timeout", defaultTimeout, "timeout of one request to the daemon, such as 90s; 0 means no timeout")
	flags.Lookup("timeout").DefValue = "30s; operations, watch, fsck, secret rotate and drift --apply: none"
	flags.BoolVar(&g.noColor, "no-color", false, "disable colors; so do NO_COLOR and TERM=dumb")
	flags.BoolVar(&g.noHeaders, "no-headers", false, "print tables without the header line")
	g.connection.bind(root, flags, streams.LookupEnv)
	_ = root.RegisterFlagCompletionFunc("output", completeFormat)
	g.isColorAllowed = streams.IsTerminal && env("NO_COLOR", "") == "" && env("TERM", "") != "dumb"
}

// completeFormat completes an output format. An expression follows the = of those that have one.
func completeFormat(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	formats := formatsOf(cmd)
	for i, format := range formats {
		formats[i] = strings.TrimSuffix(format, "…")
	}
	return formats, cobra.ShellCompDirectiveNoFileComp
}

// formatsOf returns the output formats of a command.
func formatsOf(cmd *cobra.Command) []string {
	formats := output.Formats()
	if extra := cmd.Annotations[output.FormatAnnotation]; extra != "" {
		formats = append(formats, extra)
	}
	return formats
}

// validate checks the flags. A command may have a format of its own.
func (g *globals) validate(cmd *cobra.Command) error {
	extra := cmd.Annotations[output.FormatAnnotation]
	switch _, err := output.ParseFormat(g.output); {
	case extra != "" && g.output == extra:
	case errors.Is(err, output.ErrUnknownFormat):
		return fmt.Errorf("--output or RTMANAGER_OUTPUT %q is not an output format; use one of %s", g.output, strings.Join(formatsOf(cmd), ", "))
	case err != nil:
		return fmt.Errorf("--output or RTMANAGER_OUTPUT %w", err)
	}
	if g.store != "" && federation.ValidateName(g.store) != nil {
		return fmt.Errorf("--store %q is not the name of a store; `rtmanager stores` lists them", g.store)
	}
	if g.timeout < 0 {
		return fmt.Errorf("--timeout %s is negative; use 0 for no timeout", g.timeout)
	}
	return nil
}

func (g *globals) hasColor() bool { return g.isColorAllowed && !g.noColor }

// withTimeout bounds one request by --timeout.
func (g *globals) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if g.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, g.timeout)
}

// readTimeout returns the timeout of a read by a command whose writes have no timeout.
func (g *globals) readTimeout() time.Duration {
	if g.timeout == 0 {
		return defaultTimeout
	}
	return g.timeout
}

// noWriteTimeout is longer than any write: only --timeout bounds a write.
const noWriteTimeout = 100 * 365 * 24 * time.Hour

// newClient returns a client of the daemon. It sends no request.
func (g *globals) newClient(cfg httpclient.Config) (*httpclient.Client, error) {
	cfg.Version = clientBuild().Version
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = noWriteTimeout
	}
	switch {
	case g.backup != nil && g.store != "":
		return nil, exit.UsageError{Err: errors.New("a backup is of one store: --at and --store exclude each other")}
	case g.backup != nil:
		cfg.HTTPClient = &http.Client{Transport: g.backup}
		return httpclient.New("http://backup", cfg)
	}
	if err := g.connect(); err != nil {
		return nil, err
	}
	cfg.Credentials = g.connection.credentials
	client, err := httpclient.NewFailover(g.httpServers(), cfg)
	if err != nil {
		return nil, exit.UsageError{Err: fmt.Errorf("--server or RTMANAGER_SERVER %q is not the address of a daemon; use http://HOST:PORT or https://HOST:PORT", redactServers(g.server))}
	}
	return client, nil
}

// callDaemon calls use with a client, and with a context that ends after --timeout.
func (a *app) callDaemon(ctx context.Context, use func(context.Context, *httpclient.Client) error) error {
	return a.withClient(httpclient.Config{}, func(client *httpclient.Client) error {
		ctx, cancel := a.globals.withTimeout(ctx)
		defer cancel()
		return use(ctx, client)
	})
}

// withClient calls use with a client and then closes the client.
func (a *app) withClient(cfg httpclient.Config, use func(*httpclient.Client) error) error {
	client, err := a.globals.newClient(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	err = use(client)
	if hint := a.connectionHint(err); hint != "" && !errors.Is(err, runtime.ErrOutcomeUnknown) {
		return exit.HintError{Err: err, Hint: hint}
	}
	return err
}

// connectionHint returns advice about the flags that determine the connection, empty if there
// is none.
func (a *app) connectionHint(err error) string {
	var certificateErr *tls.CertificateVerificationError
	switch {
	case errors.Is(err, httpclient.ErrNotAPI) && strings.Contains(err.Error(), "400 Bad Request") && hasScheme(a.globals.server, "http"):
		return "a daemon with a certificate is reached by https: select it with --server or RTMANAGER_SERVER"
	case errors.Is(err, httpclient.ErrNotAPI):
		return fmt.Sprintf("%s is not an rtmanager daemon, or a proxy responds in its place; select the daemon with --server or RTMANAGER_SERVER",
			render.Printable(redactServers(a.globals.server)))
	case errors.Is(err, httpclient.ErrUnencrypted):
		return "--insecure-token sends it nevertheless; another machine on the way can then read and use it"
	case errors.As(err, &certificateErr):
		return "--cacert, RTMANAGER_CACERT or a context selects the CA certificates that verify the daemon"
	case a.globals.connection.hasCertificate() && isConnectionBroken(err):
		return "the daemon may reject the client certificate of --cert, RTMANAGER_CERT or the context: it must be valid, and of an authority of the daemon"
	}
	return ""
}

// isConnectionBroken reports whether the connection was made and then broke. A server of TLS
// 1.3 rejects a client certificate after the client has sent its request, so that the error
// is an alert, a broken pipe or an end of the connection, depending on what comes first.
func isConnectionBroken(err error) bool {
	var urlErr *url.Error
	var opErr *net.OpError
	isDial := errors.As(err, &opErr) && opErr.Op == "dial"
	return errors.Is(err, runtime.ErrUnavailable) && errors.As(err, &urlErr) && !isDial
}
