package cli

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/config"
)

// The forms of output. The empty one is a verb's own readable form.
const (
	outputTable = "table"
	outputWide  = "wide"
	outputJSON  = "json"
	outputYAML  = "yaml"
)

func outputs() []string { return []string{outputTable, outputWide, outputJSON, outputYAML} }

const defaultServer = "http://127.0.0.1:8080"

// globals holds the flags that every verb takes.
type globals struct {
	server    string
	output    string
	timeout   time.Duration
	noColor   bool
	noHeaders bool

	colorAllowed bool // by the environment and the terminal
	terminal     bool
}

func (g *globals) bind(root *cobra.Command, streams Streams) {
	env := func(name, otherwise string) string {
		if value, ok := streams.LookupEnv(name); ok && value != "" {
			return value
		}
		return otherwise
	}
	flags := root.PersistentFlags()
	flags.StringVar(&g.server, "server", defaultServer, "`URL` of the daemon; also RTMANAGER_SERVER")
	flags.StringVarP(&g.output, "output", "o", "", "`FORM` of the output: "+strings.Join(outputs(), ", ")+"; also RTMANAGER_OUTPUT")
	// Set here and not as defaults, which the help would show.
	g.server, g.output = env("RTMANAGER_SERVER", g.server), env("RTMANAGER_OUTPUT", g.output)
	flags.DurationVar(&g.timeout, "timeout", 30*time.Second, "how long one call to the daemon may take, such as 90s; 0 is without end")
	flags.BoolVar(&g.noColor, "no-color", false, "no colours; NO_COLOR and TERM=dumb do the same")
	flags.BoolVar(&g.noHeaders, "no-headers", false, "tables without their first line")
	_ = root.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs(), cobra.ShellCompDirectiveNoFileComp))
	g.terminal = streams.Terminal
	g.colorAllowed = streams.Terminal && env("NO_COLOR", "") == "" && env("TERM", "") != "dumb"
}

func (g *globals) check() error {
	if g.output != "" && !slices.Contains(outputs(), g.output) {
		return fmt.Errorf("--output or RTMANAGER_OUTPUT %q is not a form; use one of %s", g.output, strings.Join(outputs(), ", "))
	}
	if g.timeout < 0 {
		return fmt.Errorf("--timeout %s is negative; use 0 for no limit", g.timeout)
	}
	return nil
}

func (g *globals) color() bool { return g.colorAllowed && !g.noColor }

// bounded gives one call its time.
func (g *globals) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if g.timeout == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, g.timeout)
}

// connect returns a client of the daemon; nothing is sent yet.
func (g *globals) connect(cfg httpclient.Config) (*httpclient.Client, error) {
	cfg.Version = clientVersion().Version
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = forever // only --timeout bounds it
	}
	client, err := httpclient.New(g.server, cfg)
	if err != nil {
		return nil, usageError{err: fmt.Errorf("--server or RTMANAGER_SERVER %q is not the address of a daemon; use http://HOST:PORT or https://HOST:PORT", config.RedactURL(g.server))}
	}
	return client, nil
}

const forever = 100 * 365 * 24 * time.Hour

// call makes one call to the daemon, in the time that it has.
func (a *app) call(ctx context.Context, use func(context.Context, *httpclient.Client) error) error {
	return a.withClient(ctx, httpclient.Config{}, func(ctx context.Context, client *httpclient.Client) error {
		ctx, cancel := a.globals.bounded(ctx)
		defer cancel()
		return use(ctx, client)
	})
}

// withClient connects, and lets go of the connection after. Each call bounds its
// time by itself.
func (a *app) withClient(ctx context.Context, cfg httpclient.Config, use func(context.Context, *httpclient.Client) error) error {
	client, err := a.globals.connect(cfg)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	return use(ctx, client)
}

// streamTransport says when a stream has begun, which a watch that waits for
// changes could not know from its events.
type streamTransport struct {
	*http.Transport
	begun func()
}

// RoundTrip implements http.RoundTripper.
func (t streamTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := t.Transport.RoundTrip(request)
	if err == nil && response.StatusCode == http.StatusOK {
		t.begun()
	}
	return response, err
}
