package cli

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/clientconfig"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
)

func (a *app) contextCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "context",
		Short: "Manage the daemons and credentials of this client",
		Long: `Context manages named daemons and the credentials for each, in the file
rtmanager/config.yaml in $XDG_CONFIG_HOME or ~/.config, which no other user may be able
to access. A command uses the context of --context or RTMANAGER_CONTEXT, or else the
current one.

Flags take precedence over the environment, and the environment over the context.
Credentials of a context are sent to its own server only: with another --server the
current context is not used.`,
		Example: `  rtmanager context set prod --server https://games.example.com:8080 --cacert ca.pem
  rtmanager context use prod
  rtmanager context                                 # list them
  rtmanager list --context prod`,
		Args: requireNoArguments,
		RunE: a.runE(func(*cobra.Command, []string) error { return a.listContexts() }),
	}
	cmd.AddCommand(a.listContextsCommand(), a.setContextCommand(), a.useContextCommand(), a.showContextCommand(), a.deleteContextCommand())
	return cmd
}

func (a *app) listContextsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the contexts",
		Long:    "List lists the contexts, without secrets.",
		Example: "  rtmanager context list -o json",
		Args:    requireNoArguments,
		RunE:    a.runE(func(*cobra.Command, []string) error { return a.listContexts() }),
	}
}

func (a *app) listContexts() error {
	a.usesNoDaemon = true
	file, err := a.globals.connection.store().Load()
	if err != nil {
		return err
	}
	contexts := output.Contexts{Items: []output.Context{}}
	for _, name := range slices.Sorted(maps.Keys(file.Contexts)) {
		contexts.Items = append(contexts.Items, describeContext(name, file))
	}
	return a.printer().Contexts(contexts)
}

func describeContext(name string, file clientconfig.File) output.Context {
	c := file.Contexts[name].Redacted()
	described := output.Context{
		Name: name, Current: name == file.Current, Server: c.Server, CACert: c.CACert, Cert: c.Cert, Key: c.Key,
		Token: c.Token, TokenFile: c.TokenFile, Credentials: c.Credentials(),
	}
	if c.Login != nil {
		described.Issuer, described.LoginExpiresAt = c.Login.Issuer, &c.Login.ExpiresAt
	}
	return described
}

func (a *app) showContextCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "show [NAME]",
		Short:   "Show a context without secrets",
		Long:    "Show shows a context, by default the current one. It does not show tokens.",
		Example: "  rtmanager context show prod",
		Args:    cobra.MaximumNArgs(1), ValidArgsFunction: a.globals.connection.completeContext,
		RunE: a.runE(func(_ *cobra.Command, args []string) error {
			a.usesNoDaemon = true
			file, err := a.globals.connection.store().Load()
			if err != nil {
				return err
			}
			name := file.Current
			switch {
			case len(args) == 1:
				name = args[0]
			case name == "":
				return exit.UsageError{Err: errors.New("there is no current context; name one")}
			}
			if _, err := file.Find(name); err != nil {
				return exit.UsageError{Err: err}
			}
			return a.printer().Context(describeContext(name, file))
		}),
	}
}

// completeContext completes the names of contexts.
func (c *connection) completeContext(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	var names []string
	file, _ := c.store().Load()
	for _, name := range slices.Sorted(maps.Keys(file.Contexts)) {
		if len(args) == 0 && strings.HasPrefix(name, prefix) && render.ShellWord(name) == name {
			names = append(names, cobra.CompletionWithDesc(name, file.Contexts[name].Server))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
