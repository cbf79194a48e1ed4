package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/secret"
)

func (a *app) listSecretsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all secrets, without values",
		Long: `List prints the name of each secret, the names of its values, its version, the key that
protects it, and the last change. A name that starts with game. belongs to one game and
is deleted with it; registry. has the credentials of a registry.`,
		Example: `  rtmanager secret list
  rtmanager secret list -o json | jq -r '.[].name'`,
		Args: requireNoArguments,
		RunE: a.runE(func(cmd *cobra.Command, _ []string) error {
			return a.callDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
				list, err := client.Secrets(ctx)
				if err != nil {
					return err
				}
				return a.printer().Secrets(list)
			})
		}),
	}
}

func (a *app) getSecretCommand() *cobra.Command {
	var isRevealed bool
	cmd := &cobra.Command{
		Use:   "get NAME",
		Short: "Describe a secret, with its values on request",
		Long: `Get prints the description of a secret. With --reveal it prints the values too, one
KEY=VALUE per line; a value with a newline or another control character is quoted. -o json
has the exact values. The daemon records each request for values.`,
		Example: `  rtmanager secret get game-db
  rtmanager secret get game-db --reveal -o json | jq -r .values.PASSWORD`,
		Args: requireSecretName,
	}
	cmd.Flags().BoolVar(&isRevealed, "reveal", false, "print the values")
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		return a.callDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
			found, err := client.Secret(ctx, args[0], isRevealed)
			if err != nil {
				return err
			}
			return a.printer().Secret(found, isRevealed)
		})
	})
	return cmd
}

func (a *app) deleteSecretCommand() *cobra.Command {
	var isForced bool
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a secret that no game uses",
		Long: `Delete deletes a secret. It is rejected, with exit code 3, while a game that is not
removed uses the secret, unless --force is given: such a game cannot start any more.`,
		Example: `  rtmanager secret delete game-db`,
		Args:    requireSecretName,
	}
	cmd.Flags().BoolVar(&isForced, "force", false, "delete the secret although games use it")
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error { return a.deleteSecret(cmd.Context(), args[0], isForced) })
	return cmd
}

func (a *app) deleteSecret(ctx context.Context, name string, isForced bool) error {
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		if err := client.DeleteSecret(ctx, name, isForced, a.userName()); err != nil {
			return err
		}
		text := fmt.Sprintf("secret %s deleted\n", render.Value(name))
		if host, isRegistry := secret.RegistryOf(name); isRegistry {
			text = fmt.Sprintf("credentials of registry %s deleted\n", render.Value(host))
		}
		_, err := fmt.Fprint(a.streams.Out, text)
		return err
	})
}

func (a *app) rotateSecretsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rotate",
		Short: "Protect all secrets with the newest key of the daemon",
		Long: `Rotate reads the keys of the daemon and protects each secret with the newest one. Values
and versions do not change, and games continue. It can be interrupted and repeated.

To replace a key: put a new one first into the key file of every daemon ("secret
generate-key --file FILE"), rotate, and then remove the old key from the files. Keep old
keys as long as you keep backups with secrets that they protect.

It fails if secrets keep their key; the output names them.`,
		Example: `  rtmanager secret generate-key --file /etc/rtmanager/secrets-keys
  rtmanager secret rotate`,
		Args: requireNoArguments,
		RunE: a.runE(func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("timeout") {
				a.globals.timeout = 0
			}
			return a.callDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
				rotation, err := client.RotateSecrets(ctx)
				if err != nil {
					return err
				}
				if err := a.printer().SecretRotation(rotation); err != nil {
					return err
				}
				if count := len(rotation.Failed); count > 0 {
					return fmt.Errorf("%s could not be changed to the newest key", render.Count(count, "secret"))
				}
				return nil
			})
		}),
	}
}

func requireSecretName(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New(cmd.Name() + " requires the NAME of one secret")
	}
	return nil
}
