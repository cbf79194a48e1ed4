package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/dotenv"
)

func (a *app) secretCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret COMMAND",
		Short: "Keep secret environment variables of games, and credentials of registries",
		Long: `A secret has a name and values, each with the name of an environment variable. The
daemon encrypts the values before it stores them. A game that is started with the secret
has them as environment variables; other variables of the game take precedence.

A daemon needs a key for secrets: see "secret generate-key".

A game receives the values at its start: a changed secret takes effect at the next
start or restart. A user that may start a game can read every secret that the game may
use: "secret set" has a flag for the games of a secret.`,
		Example: `  rtmanager secret set game-db --from-file game-db.env
  rtmanager start game-1 --image gameserver:1.0.0 --secret game-db
  rtmanager secret list`,
		Args: requireNoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		a.setSecretCommand(), a.listSecretsCommand(), a.getSecretCommand(), a.deleteSecretCommand(),
		a.rotateSecretsCommand(), a.generateKeyCommand(), a.registryCommand(),
	)
	return cmd
}

func (a *app) setSecretCommand() *cobra.Command {
	var file string
	var games []string
	cmd := &cobra.Command{
		Use:   "set NAME [--from-file FILE] [KEY=@FILE…]",
		Short: "Create a secret, or replace all its values",
		Long: `Set stores the values as the secret NAME. They replace all values that it had.

The file of --from-file has one KEY=VALUE per line, as the file of docker run
--env-file: quotes are part of the value, and lines that start with # are ignored.
KEY=@FILE takes the content of a file as one value, without its last newline; use it for
values of several lines. - is standard input.

Every game may use the secret unless --games names those that may: by id, or by a prefix
that ends with *. Without the flag a secret keeps its games; '*' permits all.

Values are not accepted as arguments: other users of the machine can read the arguments
of a process, and the shell keeps them in its history.`,
		Example: `  rtmanager secret set game-db --from-file game-db.env
  rtmanager secret set chess-db --from-file chess-db.env --games 'chess-*'
  pass show game-db | rtmanager secret set game-db PASSWORD=@-
  rtmanager secret set tls TLS_CERT=@tls.crt TLS_KEY=@tls.key`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("set requires the NAME of the secret")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&file, "from-file", "", "`FILE` with one KEY=VALUE per line, - for standard input")
	cmd.Flags().StringArrayVar(&games, "games", nil, "`PATTERN` of games that may use the secret, repeatable: an id, or a prefix with * at its end")
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		// The arguments are not part of the error: one of them can be a value by mistake.
		if strings.Contains(args[0], "=") && secret.ValidateName(args[0]) != nil {
			return newCommandErrorOf("secret set", exit.UsageError{Err: errors.New("the first argument is not the NAME of a secret"), See: cmd.CommandPath()})
		}
		return newCommandErrorOf("secret set "+render.Value(args[0]), a.setSecret(cmd, secret.PutInput{Name: args[0], Games: games}, file, args[1:]))
	})
	return cmd
}

// newCommandErrorOf returns the error of a command with a name of its own, nil for nil.
func newCommandErrorOf(name string, err error) error {
	if err == nil {
		return nil
	}
	return newCommandError([]string{name}, err)
}

func (a *app) setSecret(cmd *cobra.Command, input secret.PutInput, file string, pairs []string) error {
	if err := secret.ValidateName(input.Name); err != nil {
		return err
	}
	var err error
	if input.Values, err = a.readSecretValues(file, pairs); err != nil {
		return err
	}
	return a.putSecret(cmd.Context(), input)
}

// putSecret stores the values and prints the description of the secret.
func (a *app) putSecret(ctx context.Context, input secret.PutInput) error {
	if err := input.Validate(); err != nil {
		return err
	}
	input.Actor = a.userName()
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		stored, err := client.PutSecret(ctx, input)
		if err != nil {
			return err
		}
		return a.printer().SecretWritten(stored)
	})
}

// readSecretValues reads the file of variables and the KEY=@FILE arguments. At most one of them
// may be standard input.
func (a *app) readSecretValues(file string, pairs []string) (secret.Values, error) {
	texts := map[string]string{}
	fromInput := 0
	if file != "" {
		variables, err := a.readDotenv("--from-file", file)
		if err != nil {
			return nil, err
		}
		maps.Copy(texts, variables)
		fromInput += countInput(file)
	}
	for _, pair := range pairs {
		key, source, isFile := strings.Cut(pair, "=@")
		if !isFile || source == "" || !secret.IsValidKey(key) {
			return nil, valueArgumentError(pair)
		}
		if _, isGiven := texts[key]; isGiven {
			return nil, exit.UsageError{Err: fmt.Errorf("%s is given twice", key)}
		}
		if fromInput += countInput(source); fromInput > 1 {
			return nil, exit.UsageError{Err: errors.New("standard input can be used once only")}
		}
		text, err := a.readFile(source, "the value of "+key)
		if err != nil {
			return nil, err
		}
		texts[key] = strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	}
	if len(texts) == 0 {
		return nil, exit.UsageError{Err: errors.New("there are no values; give --from-file FILE, or KEY=@FILE"), See: "rtmanager secret set"}
	}
	return secret.NewValues(texts), nil
}

func countInput(file string) int {
	if file == "-" {
		return 1
	}
	return 0
}

// readDotenv reads the file of variables of a flag. The error contains no value.
func (a *app) readDotenv(flag, file string) (map[string]string, error) {
	text, err := a.readFlagFile(flag, file, "one KEY=VALUE per line")
	if err != nil {
		return nil, err
	}
	variables, err := dotenv.Parse(text)
	if err != nil {
		return nil, exit.UsageError{Err: fmt.Errorf("%s: %w", sourceName(file), err)}
	}
	return variables, nil
}

// valueArgumentError is the error of an argument that is not KEY=@FILE. It contains the key
// only: the rest can be a value.
func valueArgumentError(argument string) error {
	key, _, isPair := strings.Cut(argument, "=")
	if !isPair || !secret.IsValidKey(key) {
		return exit.UsageError{Err: errors.New("an argument is not KEY=@FILE; KEY is the name of an environment variable"), See: "rtmanager secret set"}
	}
	return exit.UsageError{
		Err: fmt.Errorf("%[1]s=… is a value on the command line, which other users and the shell history can show; write it to standard input and use %[1]s=@-, or use %[1]s=@FILE or --from-file FILE. Change the value if it is in use", key),
		See: "rtmanager secret set",
	}
}
