package cli

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/adapters/oidc/login"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/clientconfig"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/loopback"
)

func (a *app) loginCommand() *cobra.Command {
	var issuerCA string
	cmd := &cobra.Command{
		Use:   "login",
		Short: "Log in at the identity provider of the daemon",
		Long: `Login prints a URL and a code. Open the URL on any device, check that it shows the code, and
log in there. The result is stored in a context: that of --context, or else the current one,
or else a new one named after the server. It is refreshed when it expires.

The daemon names its identity provider, so --server, with --cacert if necessary, is enough
for the first login. "logout" ends the login.`,
		Example: `  rtmanager login --server https://games.example.com:8080 --cacert ca.pem
  rtmanager login --context prod`,
		Args: requireNoArguments,
	}
	cmd.Flags().StringVar(&issuerCA, "issuer-cacert", "", "`FILE` with the CA certificates that verify the identity provider")
	cmd.RunE = a.runE(func(cmd *cobra.Command, _ []string) error { return a.login(cmd.Context(), issuerCA) })
	return cmd
}

func (a *app) login(ctx context.Context, issuerCA string) error {
	name, target, err := a.loginContext()
	if err != nil {
		return exit.UsageError{Err: err}
	}
	if err := a.globals.connectTo(clientconfig.Connection{ContextName: name, Context: target}); err != nil {
		return err
	}
	provider, err := a.identityProvider(ctx)
	if err != nil {
		return err
	}
	if issuerCA, err = absolute(issuerCA); err != nil {
		return err
	}
	client, err := login.New(provider.Issuer, provider.ClientID, issuerCA)
	if err != nil {
		return fmt.Errorf("the daemon's identity provider: %w", err)
	}
	tokens, err := client.Login(ctx, a.showLogin)
	if err != nil {
		return err
	}
	target = target.WithoutCredentials()
	target.Login = &clientconfig.Login{Issuer: provider.Issuer, ClientID: provider.ClientID, CACert: issuerCA}
	target.Login.SetTokens(tokens.IDToken, tokens.RefreshToken, tokens.ExpiresAt)
	if err := a.storeLogin(name, target); err != nil {
		return err
	}
	if err := a.globals.connectTo(clientconfig.Connection{ContextName: name, Context: target}); err != nil {
		return err
	}
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		identity, err := client.Identity(ctx)
		if err != nil {
			return fmt.Errorf("the login is stored in context %s, but the daemon rejects it: %w", render.Value(name), err)
		}
		_, err = fmt.Fprintf(a.streams.Out, "logged in as %s at %s, in context %s\n", render.Value(identity.Subject), target.Server, render.Value(name))
		return err
	})
}

// loginContext returns the context to log in to. It may be new.
func (a *app) loginContext() (name string, target clientconfig.Context, err error) {
	c := &a.globals.connection
	file, err := c.store().Load()
	if err != nil {
		return "", clientconfig.Context{}, err
	}
	settings, err := absoluteSettings(c.flagSettings(a.globals.server).Merge(c.environment()))
	if err != nil {
		return "", clientconfig.Context{}, err
	}
	settings.Token, settings.TokenFile = "", "" // the login replaces them
	if _, exists := file.Contexts[settings.Context]; settings.Context != "" && !exists {
		if err := clientconfig.ValidateName(settings.Context); err != nil {
			return "", clientconfig.Context{}, err
		}
		target = clientconfig.Context{}.WithSettings(settings)
		return settings.Context, target, target.Validate()
	}
	resolved, err := clientconfig.Resolve(settings, file)
	if err == nil {
		err = resolved.Validate()
	}
	if err != nil || resolved.ContextName != "" {
		return resolved.ContextName, resolved.Context, err
	}
	server, err := url.Parse(clientconfig.Servers(resolved.Server)[0]) // Validate has checked that there is one
	if err != nil {
		return "", clientconfig.Context{}, err
	}
	return server.Host, resolved.Context, nil
}

// identityProvider returns the identity provider that the daemon names. The daemon must be
// one to which the token may be sent: otherwise another machine could name a provider.
func (a *app) identityProvider(ctx context.Context) (api.OIDC, error) {
	for _, address := range clientconfig.Servers(a.globals.server) {
		server, err := url.Parse(address)
		if err != nil || server.Scheme != "https" && !loopback.IsHost(server.Hostname()) && !a.globals.connection.isUnencrypted {
			return api.OIDC{}, exit.UsageError{Err: fmt.Errorf("a login at %s would send the token without encryption; use https", render.Printable(address))}
		}
	}
	var authentication api.Authentication
	a.globals.connection.credentials.Token = nil // an expired login must not prevent the next
	err := a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		var err error
		authentication, err = client.Authentication(ctx)
		return err
	})
	switch {
	case err != nil:
		return api.OIDC{}, err
	case authentication.OIDC == nil:
		return api.OIDC{}, exit.HintError{
			Err:  errors.New("the daemon has no identity provider"),
			Hint: "`rtmanager serve --oidc-issuer` sets one; without it, use a client certificate or a token",
		}
	}
	return *authentication.OIDC, nil
}

// showLogin prints what the user must do.
func (a *app) showLogin(prompt login.Prompt) error {
	page := prompt.CompleteURL
	if page == "" {
		page = prompt.URL
	}
	_, err := fmt.Fprintf(a.streams.Err, "Open %s on any device and check that it shows the code\n\n    %s\n\nThe code expires in %s.\n",
		render.Printable(page), render.Printable(prompt.Code), render.Age(time.Until(prompt.ExpiresAt)))
	return err
}

// storeLogin stores the context, which becomes the current one if there is none.
func (a *app) storeLogin(name string, target clientconfig.Context) error {
	return a.globals.connection.store().Update(func(file *clientconfig.File) error {
		file.Contexts[name] = target
		if file.Current == "" {
			file.Current = name
		}
		return nil
	})
}

func (a *app) logoutCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "logout",
		Short: "End the login of a context",
		Long: `Logout removes the login from the context, and revokes it at the identity provider if that is
supported. The proof of identity that the login has received stays valid until it expires,
usually within an hour.`,
		Example: "  rtmanager logout --context prod",
		Args:    requireNoArguments,
		RunE:    a.runE(func(cmd *cobra.Command, _ []string) error { return a.logout(cmd.Context()) }),
	}
}

func (a *app) logout(ctx context.Context) error {
	a.usesNoDaemon = true
	c := &a.globals.connection
	resolved, err := c.resolve(a.globals.server)
	if err != nil {
		return exit.UsageError{Err: err}
	}
	var removed *clientconfig.Login
	if resolved.ContextName != "" {
		err = c.store().Update(func(file *clientconfig.File) error {
			current := file.Contexts[resolved.ContextName]
			removed, current.Login = current.Login, nil
			file.Contexts[resolved.ContextName] = current
			return nil
		})
	}
	switch {
	case err != nil:
		return err
	case removed == nil:
		_, err = fmt.Fprintln(a.streams.Err, "There is no login.")
		return err
	}
	if err := revokeLogin(ctx, *removed); err != nil {
		a.printMessagef("logout", "the login is removed here, but not revoked: %v", err)
	}
	_, err = fmt.Fprintf(a.streams.Out, "logged out of context %s\n", render.Value(resolved.ContextName))
	return err
}

func revokeLogin(ctx context.Context, removed clientconfig.Login) error {
	client, err := login.New(removed.Issuer, removed.ClientID, removed.CACert)
	if err != nil {
		return err
	}
	return client.Revoke(ctx, removed.RefreshToken)
}
