package accesscmd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/host"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
)

func (c commands) tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Create, list and revoke tokens of programs",
		Long: `Token manages static tokens, which prove an identity token:NAME without a certificate or a
login. The daemon keeps only a hash of a token. Only administrators may use it.`,
		Example: `  rtmanager token                                   # list them
  (umask 077; rtmanager token create ci --role operator@eu > token)
  rtmanager token revoke ci`,
		Args: host.RequireNoArguments,
		RunE: c.RunE(func(cmd *cobra.Command, _ []string) error { return c.listTokens(cmd.Context()) }),
	}
	cmd.AddCommand(c.createTokenCommand(), c.listTokensCommand(), c.revokeTokenCommand())
	return cmd
}

// defaultTokenLifetime is the time until a token expires, unless --expires is given.
const defaultTokenLifetime = 30 * 24 * time.Hour

type tokenFlags struct {
	roles, regions, games []string
	expires               time.Duration
}

func (c commands) createTokenCommand() *cobra.Command {
	var flags tokenFlags
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Create a token and print it once",
		Long: `Create creates a token and prints it to standard output, and nothing else there. It cannot
be shown a second time. Send it to a file that only you can read (umask 077), for --token-file.

` + roleHelp + `

The token expires after --expires; 0 means never. "role grant token:NAME" gives it roles
later, and "token revoke" ends it within seconds, including its open streams.`,
		Example: `  (umask 077; rtmanager token create ci --role operator --regions eu --games 'chess-*' > token)
  (umask 077; rtmanager token create ci --role 'operator@eu:chess-*' > token)
  rtmanager token create dashboard --role reader --expires 2160h -o json`,
		Args: func(cmd *cobra.Command, args []string) error { return requireOne(cmd, args, "NAME") },
	}
	cmd.Flags().StringArrayVar(&flags.roles, "role", nil, "`ROLE` of the token, repeatable; with regions and games as in operator@eu:chess-*")
	cmd.Flags().StringSliceVar(&flags.regions, "regions", nil, "`REGIONS` that the roles are for, separated by commas (default: every region)")
	cmd.Flags().StringSliceVar(&flags.games, "games", nil, "`GAMES` that the roles are for, ids or prefixes with *, separated by commas (default: every game)")
	cmd.Flags().DurationVar(&flags.expires, "expires", defaultTokenLifetime, "time until the token expires, such as 24h; 0 means never")
	completeRole(cmd, "role")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error { return c.createToken(cmd.Context(), args[0], flags) })
	return cmd
}

// grants returns the roles with their scopes.
func (f tokenFlags) grants() ([]access.Grant, error) {
	var grants []access.Grant
	for _, text := range f.roles {
		grant, err := access.ParseGrant(text)
		if err != nil {
			return nil, exit.UsageError{Err: fmt.Errorf("--role %w", err)}
		}
		if len(f.regions)+len(f.games) > 0 {
			if !grant.IsUnrestricted() {
				return nil, exit.UsageError{Err: fmt.Errorf("--role %s has its own regions or games; omit --regions and --games", render.ShellWord(text))}
			}
			grant.Regions, grant.Games = f.regions, f.games
		}
		if err := grant.Validate(); err != nil {
			return nil, exit.UsageError{Err: err}
		}
		grants = append(grants, grant)
	}
	if len(grants) == 0 && len(f.regions)+len(f.games) > 0 {
		return nil, exit.UsageError{Err: errors.New("--regions and --games need a --role")}
	}
	return grants, nil
}

func (c commands) createToken(ctx context.Context, name string, flags tokenFlags) error {
	grants, err := flags.grants()
	switch {
	case err != nil:
		return err
	case flags.expires < 0:
		return exit.UsageError{Err: fmt.Errorf("--expires %s is negative; use 0 for never", flags.expires)}
	}
	return c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		created, err := client.CreateToken(ctx, name, grants, flags.expires)
		switch {
		case errors.Is(err, runtime.ErrOutcomeUnknown):
			return exit.HintError{Err: err, Hint: "the token may exist, but its text is lost: `rtmanager token revoke " + render.ShellWord(name) + "` and create another"}
		case errors.Is(err, access.ErrExists):
			return exit.HintError{Err: err, Hint: "`rtmanager token revoke " + render.ShellWord(name) + "` makes the name available; `rtmanager token` lists the tokens"}
		case err != nil:
			return err
		}
		if len(grants) == 0 {
			c.PrintMessagef("token create", "the token has no role; `rtmanager role grant %s` gives it one", render.ShellWord(access.PrefixToken+name))
		}
		return c.Printer().NewToken(created)
	})
}

func (c commands) listTokensCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the tokens",
		Long:    "List lists the tokens with their roles, expiry and last use, which is accurate to about 10 minutes.",
		Example: "  rtmanager token list -o json | jq -r '.items[].name'",
		Args:    host.RequireNoArguments,
		RunE:    c.RunE(func(cmd *cobra.Command, _ []string) error { return c.listTokens(cmd.Context()) }),
	}
}

func (c commands) listTokens(ctx context.Context) error {
	return c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		tokens, err := client.Tokens(ctx)
		if err != nil {
			return err
		}
		return c.Printer().Tokens(tokens)
	})
}

func (c commands) revokeTokenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke NAME",
		Short: "Revoke a token",
		Long: `Revoke deletes a token. Every daemon rejects it, and ends its open streams, within 5
seconds. Roles that "role grant" gave to the token remain, for a new token of the name.`,
		Example: "  rtmanager token revoke ci",
		Args:    func(cmd *cobra.Command, args []string) error { return requireOne(cmd, args, "NAME") },
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			return c.completeToken(cmd.Context(), args, prefix), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: c.RunE(func(cmd *cobra.Command, args []string) error {
			return c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
				err := client.RevokeToken(ctx, args[0])
				switch {
				case errors.Is(err, access.ErrUnknownSubject):
					return exit.HintError{Err: err, Hint: "`rtmanager token` lists the tokens"}
				case err != nil:
					return err
				}
				_, err = fmt.Fprintf(c.Out, "token %s revoked\n", render.Value(args[0]))
				return err
			})
		}),
	}
}

// completeToken completes the names of tokens, if the daemon responds in time.
func (c commands) completeToken(ctx context.Context, args []string, prefix string) []string {
	var names []string
	if len(args) > 0 {
		return nil
	}
	c.SetTimeout(completionTimeout)
	_ = c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		tokens, err := client.Tokens(ctx)
		for _, token := range tokens {
			if strings.HasPrefix(token.Name, prefix) && render.ShellWord(token.Name) == token.Name {
				names = append(names, token.Name)
			}
		}
		return err
	})
	return names
}

// requireOne requires exactly one argument.
func requireOne(cmd *cobra.Command, args []string, what string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s requires one %s, got %d arguments", cmd.Name(), what, len(args))
	}
	return nil
}
