package secrets

import (
	"context"
	"fmt"
	"iter"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/ports"
)

// RedactLogs returns the engine with a Logs and a StreamLogs that replace the values of secrets. A game can print
// them, and lines of its log are in explanations, in streams to readers, and in failures that the store keeps.
func RedactLogs(engine ports.Engine, resolver ports.SecretResolver) ports.Engine {
	return redactingEngine{engine, resolver}
}

type redactingEngine struct {
	ports.Engine
	resolver ports.SecretResolver
}

// Logs implements ports.Engine. If the values that the container was created with are not
// available any more, one line replaces the log: it can contain these values.
func (e redactingEngine) Logs(ctx context.Context, containerID string, lines int) ([]string, error) {
	found, err := e.Inspect(ctx, containerID)
	if err != nil {
		return nil, err
	}
	log, err := e.Engine.Logs(ctx, containerID, lines)
	if err != nil || found.Labels.Secrets == "" {
		return log, err
	}
	values, err := e.valuesOf(ctx, found.Labels.GameID, found.Labels.Secrets)
	if err != nil {
		return []string{withheldText(err)}, nil
	}
	redactor := values.Redactor()
	for i, line := range log {
		log[i] = redactor.Replace(line)
	}
	return log, nil
}

// StreamLogs implements ports.Engine. As in Logs, one line replaces a log whose secrets cannot be removed.
// A value that the bound of a line splits is not found.
func (e redactingEngine) StreamLogs(ctx context.Context, containerID string, options container.LogOptions) iter.Seq2[container.LogLine, error] {
	return func(yield func(container.LogLine, error) bool) {
		found, err := e.Inspect(ctx, containerID)
		if err != nil {
			yield(container.LogLine{}, err)
			return
		}
		var values secret.Values
		if found.Labels.Secrets != "" {
			if values, err = e.valuesOf(ctx, found.Labels.GameID, found.Labels.Secrets); err != nil {
				yield(container.LogLine{Text: withheldText(err)}, nil)
				return
			}
		}
		redactor := values.Redactor() // a game can print millions of lines
		for line, err := range e.Engine.StreamLogs(ctx, containerID, options) {
			line.Text = redactor.Replace(line.Text)
			if !yield(line, err) {
				return
			}
		}
	}
}

func withheldText(err error) string {
	return "[the log is withheld, because it can contain secrets that cannot be removed: " + err.Error() + "]"
}

// valuesOf returns the values of the versions of a label.
func (e redactingEngine) valuesOf(ctx context.Context, gameID, label string) (secret.Values, error) {
	versions, err := secret.ParseVersions(label)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(versions))
	for i, version := range versions {
		names[i] = version.Name
	}
	env, err := e.resolver.ResolveSecrets(ctx, gameID, names)
	if err == nil && secret.EncodeVersions(env.Versions) != label {
		err = fmt.Errorf("the secrets %v have changed since the container was created", names)
	}
	return env.Values, err
}
