package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/secret"
)

func (a *app) registryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "registry COMMAND",
		Short: "Keep the credentials of private image registries",
		Long: `A daemon with Docker uses these credentials to pull images of the registry. They are
stored as the secret registry.HOST, which no game can use.`,
		Example: `  rtmanager secret registry set registry.example.com --username ci --password-file token
  rtmanager secret registry list`,
		Args: requireNoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.setRegistryCommand(), a.listRegistriesCommand(), a.deleteRegistryCommand())
	return cmd
}

func (a *app) setRegistryCommand() *cobra.Command {
	var user, file string
	var isInput bool
	cmd := &cobra.Command{
		Use:   "set HOST --username USER",
		Short: "Set the credentials of a registry",
		Long: `Set stores user and password for the registry HOST, as image references name it, with its
port if they have one: registry.example.com, localhost:5000, or docker.io for Docker Hub.
The password is the content of a file or standard input, without its last newline.`,
		Example: `  rtmanager secret registry set registry.example.com --username ci --password-file token
  pass show docker-hub | rtmanager secret registry set docker.io --username ada --password-stdin`,
		Args: requireRegistry,
	}
	cmd.Flags().StringVar(&user, "username", "", "`USER` of the registry")
	cmd.Flags().StringVar(&file, "password-file", "", "`FILE` with the password")
	cmd.Flags().BoolVar(&isInput, "password-stdin", false, "read the password from standard input")
	_ = cmd.MarkFlagRequired("username")
	cmd.MarkFlagsMutuallyExclusive("password-file", "password-stdin")
	cmd.MarkFlagsOneRequired("password-file", "password-stdin")
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		if isInput {
			file = "-"
		}
		text, err := a.readFile(file, "the password")
		if err != nil {
			return err
		}
		password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
		if password == "" {
			return exit.UsageError{Err: errors.New("the password is empty")}
		}
		return a.putSecret(cmd.Context(), secret.PutInput{Name: registrySecret(args[0]), Values: secret.NewValues(map[string]string{
			secret.RegistryUser: user, secret.RegistryPassword: password,
		})})
	})
	return cmd
}

func (a *app) listRegistriesCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the registries with credentials",
		Long:    `List prints the registries that have credentials, without these.`,
		Example: `  rtmanager secret registry list`,
		Args:    requireNoArguments,
		RunE: a.runE(func(cmd *cobra.Command, _ []string) error {
			return a.callDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
				list, err := client.Secrets(ctx)
				if err != nil {
					return err
				}
				list = slices.DeleteFunc(list, func(s api.Secret) bool {
					_, isRegistry := secret.RegistryOf(s.Name)
					return !isRegistry
				})
				return a.printer().Registries(list)
			})
		}),
	}
}

func (a *app) deleteRegistryCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "delete HOST",
		Short:   "Delete the credentials of a registry",
		Long:    `Delete deletes the credentials of a registry. Images that the nodes have are not affected.`,
		Example: `  rtmanager secret registry delete registry.example.com`,
		Args:    requireRegistry,
		RunE: a.runE(func(cmd *cobra.Command, args []string) error {
			return a.deleteSecret(cmd.Context(), registrySecret(args[0]), true)
		}),
	}
}

// registrySecret returns the name of the secret of a registry. Docker Hub has several names.
func registrySecret(host string) string {
	host = strings.ToLower(host)
	if slices.Contains([]string{"index.docker.io", "registry-1.docker.io", "hub.docker.com"}, host) {
		host = "docker.io"
	}
	return secret.OfRegistry(host)
}

func requireRegistry(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return errors.New(cmd.Name() + " requires the HOST of one registry")
	}
	if secret.ValidateName(registrySecret(args[0])) != nil {
		return fmt.Errorf("%s is not the host of a registry, such as registry.example.com or localhost:5000", render.Value(args[0]))
	}
	return nil
}
