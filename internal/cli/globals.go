package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/runtime"
)

const defaultServer = "http://127.0.0.1:8080"

// globals are the flags of all commands.
type globals struct {
	server    string
	output    string
	timeout   time.Duration
	noColor   bool
	noHeaders bool

	isColorAllowed bool // the environment and the terminal allow colors
}

func (g *globals) bind(root *cobra.Command, streams Streams) {
	env := func(name, fallback string) string {
		if value, ok := streams.LookupEnv(name); ok && value != "" {
			return value
		}
		return fallback
	}
	flags := root.PersistentFlags()
	flags.StringVar(&g.server, "server", defaultServer, "`URL` of the daemon; also RTMANAGER_SERVER")
	flags.StringVarP(&g.output, "output", "o", "", "output `FORMAT`: "+strings.Join(output.Formats(), ", ")+"; also RTMANAGER_OUTPUT")
	// Set them after the declaration: otherwise the help would show them as defaults.
	g.server, g.output = env("RTMANAGER_SERVER", g.server), env("RTMANAGER_OUTPUT", g.output)
	flags.DurationVar(&g.timeout, "timeout", 30*time.Second, "timeout of one request to the daemon, such as 90s; 0 means no timeout")
	flags.Lookup("timeout").DefValue = "30s; operations, watch, fsck and drift --apply: none"
	flags.BoolVar(&g.noColor, "no-color", false, "disable colors; so do NO_COLOR and TERM=dumb")
	flags.BoolVar(&g.noHeaders, "no-headers", false, "print tables without the header line")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(output.Formats(), cobra.ShellCompDirectiveNoFileComp))
	g.isColorAllowed = streams.IsTerminal && env("NO_COLOR", "") == "" && env("TERM", "") != "dumb"
}

func (g *globals) validate() error {
	if g.output != "" && !slices.Contains(output.Formats(), g.output) {
		return fmt.Errorf("--output or RTMANAGER_OUTPUT %q is not an output format; use one of %s", g.output, strings.Join(output.Formats(), ", "))
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

// noWriteTimeout is longer than any write: only --timeout bounds a write.
const noWriteTimeout = 100 * 365 * 24 * time.Hour

// newClient returns a client of the daemon. It sends no request.
func (g *globals) newClient(cfg httpclient.Config) (*httpclient.Client, error) {
	cfg.Version = clientBuild().Version
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = noWriteTimeout
	}
	client, err := httpclient.New(g.server, cfg)
	if err != nil {
		return nil, exit.UsageError{Err: fmt.Errorf("--server or RTMANAGER_SERVER %q is not the address of a daemon; use http://HOST:PORT or https://HOST:PORT", config.RedactURL(g.server))}
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
	if errors.Is(err, httpclient.ErrNotAPI) && !errors.Is(err, runtime.ErrOutcomeUnknown) {
		return exit.HintError{Err: err, Hint: fmt.Sprintf("%s is not an rtmanager daemon, or a proxy responds in its place; select the daemon with --server or RTMANAGER_SERVER",
			render.Printable(config.RedactURL(a.globals.server)))}
	}
	return err
}

// streamTransport calls onOpen when a stream opens. A watch without events cannot detect
// this in another way.
type streamTransport struct {
	*http.Transport
	onOpen func()
}

// RoundTrip implements http.RoundTripper.
func (t streamTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.Transport.RoundTrip(request)
	if err == nil && response.StatusCode == http.StatusOK {
		t.onOpen()
	}
	return response, err
}
