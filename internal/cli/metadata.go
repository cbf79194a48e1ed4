package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/manifest"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
)

// metadataFlags are the flags of the command metadata.
type metadataFlags struct {
	file      string
	isReplace bool
	origin    flags.Origin
}

func (a *app) metadataCommand() *cobra.Command {
	var flags metadataFlags
	cmd := &cobra.Command{
		Use:   "metadata GAME [JSON | -f FILE]",
		Short: "Show or change the metadata of a game",
		Long: `Metadata is a JSON object of the user that is kept with the record of a game. Nothing
selects games by it: use labels for that. It has at most 8 KiB of JSON and 8 levels.

Without JSON and file the command prints the metadata. Otherwise it merges the object into
it: a member that is null is removed, an object is merged, and any other value replaces the
current one (RFC 7396). With --replace the object replaces all metadata.

A change does not affect the container of the game. It is rejected while an operation on the
game is in progress. Every operation keeps the metadata; a start that names metadata replaces
it.`,
		Example: `  rtmanager metadata game-1
  rtmanager metadata game-1 '{"match": {"mode": "ranked"}, "seed": null}'
  rtmanager metadata game-1 -f metadata.yaml --replace`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) == 0 || len(args) > 2:
				return exit.UsageError{Err: fmt.Errorf("metadata requires a GAME and at most one JSON object, got %d arguments", len(args))}
			case len(args) == 2 && flags.file != "":
				return exit.UsageError{Err: errors.New("the JSON object and -f exclude each other")}
			}
			return nil
		},
		ValidArgsFunction: a.completeGame,
	}
	cmd.Flags().StringVarP(&flags.file, "filename", "f", "", "`FILE` of JSON or YAML with the object, - for standard input")
	cmd.Flags().BoolVar(&flags.isReplace, "replace", false, "replace all metadata instead of a merge")
	flags.origin.Bind(cmd)
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		if err := flags.origin.Validate(); err != nil {
			return err
		}
		gameID, err := a.selectGame(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if len(args) == 1 && flags.file == "" {
			return a.printMetadata(cmd.Context(), gameID)
		}
		text := ""
		if len(args) == 2 {
			text = args[1]
		}
		change, err := a.readMetadata(metadataSource{text: text, textName: "JSON", file: flags.file, fileName: "-f"})
		if err != nil {
			return err
		}
		return a.changeMetadata(cmd.Context(), gameID, change, flags)
	})
	return cmd
}

func (a *app) printMetadata(ctx context.Context, gameID string) error {
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		found, err := client.GetVersioned(ctx, gameID)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.streams.Out, cmp.Or(found.Record.Metadata, "{}"))
		return err
	})
}

func (a *app) changeMetadata(ctx context.Context, gameID string, metadata runtime.Metadata, flags metadataFlags) error {
	change := api.MetadataChange{Merge: &metadata}
	if flags.isReplace {
		change = api.MetadataChange{Replace: &metadata}
	}
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		record, err := client.ChangeMetadata(ctx, gameID, change, flags.origin.PortsOrigin(a.userName()))
		if err != nil {
			return err
		}
		return a.printer().Records([]runtime.VersionedRecord{record}, func(v runtime.VersionedRecord) string {
			return fmt.Sprintf("%s has %d bytes of metadata, revision %d", render.Value(gameID), len(v.Record.Metadata), v.Revision)
		})
	})
}

// metadataSource is where a command line has metadata: in a text or in a file. Each is named as on
// the command line.
type metadataSource struct{ text, textName, file, fileName string }

// readMetadata returns the metadata of the source, empty for a source without text and file.
func (a *app) readMetadata(from metadataSource) (runtime.Metadata, error) {
	name, text := from.textName, []byte(from.text)
	if from.file != "" {
		var err error
		name = from.fileName
		if text, err = a.readSource(from.file); err != nil {
			return "", fmt.Errorf("%w; %s requires a file with a JSON or YAML object, or - for standard input", err, name)
		}
	} else if from.text == "" {
		return "", nil
	}
	metadata, err := manifest.Metadata(text)
	if err != nil {
		return "", &runtime.InvalidError{Field: name, Reason: err.Error()}
	}
	return metadata, metadata.ValidateChange(name)
}

// readSource reads a file, or standard input for -.
func (a *app) readSource(file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(a.streams.In)
	}
	return os.ReadFile(file)
}
