package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/clientconfig"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
)

func (a *app) useContextCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "use NAME",
		Short:   "Select the current context",
		Long:    "Use makes a context the current one, which commands without --context use.",
		Example: "  rtmanager context use prod",
		Args:    requireOneContext, ValidArgsFunction: a.globals.connection.completeContext,
		RunE: a.runE(func(_ *cobra.Command, args []string) error {
			return a.changeContexts("current context is %s\n", args[0], func(file *clientconfig.File) error {
				if _, err := file.Find(args[0]); err != nil {
					return exit.UsageError{Err: err}
				}
				file.Current = args[0]
				return nil
			})
		}),
	}
}

func (a *app) deleteContextCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a context and its credentials",
		Long: `Delete deletes a context, with the token and the login in it. It revokes nothing, and
leaves files that the context names.`,
		Example: "  rtmanager context delete prod",
		Args:    requireOneContext, ValidArgsFunction: a.globals.connection.completeContext,
		RunE: a.runE(func(_ *cobra.Command, args []string) error {
			return a.changeContexts("context %s deleted\n", args[0], func(file *clientconfig.File) error {
				if _, err := file.Find(args[0]); err != nil {
					return exit.UsageError{Err: err}
				}
				delete(file.Contexts, args[0])
				if file.Current == args[0] {
					file.Current = ""
				}
				return nil
			})
		}),
	}
}

func (a *app) setContextCommand() *cobra.Command {
	var readsToken bool
	cmd := &cobra.Command{
		Use:   "set NAME",
		Short: "Add or change a context",
		Long: `Set adds a context, or changes what the flags give: --server, --cacert, --cert and --key,
--token-file. With --token-stdin it stores a token that it reads from standard input. The
first context becomes the current one.

Another server removes the token, the token file and the login of the context, which were
for the former server.`,
		Example: `  rtmanager context set prod --server https://games.example.com:8080 --cacert ca.pem
  rtmanager context set prod --cert ada.pem --key ada.key
  rtmanager context set ci --server https://games.example.com:8080 --token-stdin < token`,
		Args: requireOneContext, ValidArgsFunction: a.globals.connection.completeContext,
	}
	cmd.Flags().BoolVar(&readsToken, "token-stdin", false, "read a token from standard input and store it")
	cmd.RunE = a.runE(func(_ *cobra.Command, args []string) error {
		if err := clientconfig.ValidateName(args[0]); err != nil {
			return exit.UsageError{Err: err}
		}
		settings, err := a.contextSettings(readsToken)
		if err != nil {
			return err
		}
		return a.changeContexts("context %s set\n", args[0], func(file *clientconfig.File) error {
			changed := file.Contexts[args[0]].WithSettings(settings)
			if err := changed.Validate(); err != nil {
				return exit.UsageError{Err: err}
			}
			file.Contexts[args[0]] = changed
			if file.Current == "" {
				file.Current = args[0]
			}
			return nil
		})
	})
	return cmd
}

// contextSettings returns the settings of the flags, with absolute paths.
func (a *app) contextSettings(readsToken bool) (clientconfig.Settings, error) {
	settings, err := absoluteSettings(a.globals.connection.flagSettings(a.globals.server))
	if err != nil || !readsToken {
		return settings, err
	}
	if settings.TokenFile != "" {
		return clientconfig.Settings{}, exit.UsageError{Err: errors.New("--token-stdin and --token-file exclude each other")}
	}
	// More than a token than a token: a longer input is rejected below.
	text, err := io.ReadAll(io.LimitReader(bufio.NewReader(a.streams.In), clientconfig.MaxTokenBytes+2))
	if err != nil {
		return clientconfig.Settings{}, fmt.Errorf("read the token from standard input: %w", err)
	}
	settings.Token = strings.TrimSpace(string(text))
	if err := clientconfig.ValidateToken(settings.Token); err != nil {
		return clientconfig.Settings{}, exit.UsageError{Err: fmt.Errorf("standard input: %w", err)}
	}
	return settings, nil
}

// absoluteSettings returns the settings with absolute paths: commands run in any directory.
func absoluteSettings(settings clientconfig.Settings) (clientconfig.Settings, error) {
	for _, file := range []*string{&settings.CACert, &settings.Cert, &settings.Key, &settings.TokenFile} {
		name, err := absolute(*file)
		if err != nil {
			return clientconfig.Settings{}, err
		}
		*file = name
	}
	return settings, nil
}

// absolute returns the absolute path of a file, and an empty text unchanged.
func absolute(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	return filepath.Abs(file)
}

// changeContexts changes the configuration file and then prints a message about the context.
func (a *app) changeContexts(message, name string, change func(*clientconfig.File) error) error {
	a.usesNoDaemon = true
	if err := a.globals.connection.store().Update(change); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.streams.Out, message, render.Value(name))
	return err
}

func requireOneContext(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s requires the NAME of one context, got %d arguments", cmd.Name(), len(args))
	}
	return nil
}
