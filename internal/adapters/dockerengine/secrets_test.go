package dockerengine_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
)

const secretMarker = "hunter2-marker"

// fakeSecrets resolves every secret to the same texts or error.
type fakeSecrets struct {
	texts map[string]string
	err   error
}

func (f fakeSecrets) ResolveSecrets(context.Context, string, []string) (secret.Environment, error) {
	return secret.Environment{Values: secret.NewValues(f.texts)}, f.err
}

func TestSecretsAreVariablesOfTheContainer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *dockerengine.Config) {
		c.Secrets = fakeSecrets{texts: map[string]string{"PASSWORD": secretMarker, "BOTH": "secret", "LINES": "a\nb"}}
	})
	spec := f.spec("g1")
	spec.Env = map[string]string{"BOTH": "explicit"}
	spec.Secrets, spec.Labels.Secrets = []string{"db"}, "db@1"
	c := f.create(t, spec)
	require.Equal(t, "db@1", c.Labels.Secrets)
	found, err := f.api.ContainerInspect(t.Context(), c.ID, client.ContainerInspectOptions{})
	require.NoError(t, err)
	require.Subset(t, found.Container.Config.Env, []string{"PASSWORD=" + secretMarker, "BOTH=explicit", "LINES=a\nb"})
	for name, value := range found.Container.Config.Labels {
		require.NotContains(t, value, secretMarker, name)
	}
	require.NotContains(t, fmt.Sprintf("%+v", c), secretMarker)
	without := f.create(t, f.spec("g2"))
	require.Empty(t, without.Labels.Secrets)
}

func TestNoContainerIsCreatedWithoutItsSecrets(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ err, want error }{
		{fmt.Errorf("%w: %w", secret.ErrUnresolved, &secret.NotFoundError{Name: "db"}), secret.ErrUnresolved},
		{runtime.ErrUnavailable, container.ErrEngineUnavailable},
	} {
		f := newFixture(t, func(c *dockerengine.Config) { c.Secrets = fakeSecrets{err: tt.err} })
		spec := f.spec("g1")
		spec.Secrets = []string{"db"}
		_, err := f.Create(t.Context(), spec)
		require.ErrorIs(t, err, tt.want)
		listed, err := f.List(t.Context(), "")
		require.NoError(t, err)
		require.Empty(t, listed)
	}
	f := newFixture(t, nil)
	spec := f.spec("g1")
	spec.Secrets = []string{"db"}
	require.ErrorIs(t, f.ValidateSpec(t.Context(), spec), runtime.ErrInvalid)
}

// fakeRegistries has the credentials of one registry.
type fakeRegistries struct {
	host, user, password string
	err                  error
}

func (f fakeRegistries) CredentialsOf(_ context.Context, host string) (string, secret.Value, bool, error) {
	return f.user, secret.NewValue(f.password), host == f.host, f.err
}

func TestPullFromAPrivateRegistry(t *testing.T) {
	t.Parallel()
	without := newFixture(t, nil) // also builds the game
	registry := newRegistry(t, "games/engine", "2.0.0", append(slices.Clone(machine.binary), rand.Text()...))
	registry.user, registry.password = "ci", secretMarker
	image := registry.host + "/games/engine:2.0.0"
	machine.removeAtEnd(image)
	require.ErrorIs(t, without.EnsureImage(t.Context(), image, nil), container.ErrNoImage)
	for name, credentials := range map[string]fakeRegistries{
		"of another registry": {host: "other:5000", user: "ci", password: secretMarker},
		"wrong password":      {host: registry.host, user: "ci", password: "wrong-" + secretMarker},
		"unreadable":          {host: registry.host, err: secret.ErrUnreadable},
	} {
		f := newFixture(t, func(c *dockerengine.Config) { c.Registries = credentials })
		err := f.EnsureImage(t.Context(), image, nil)
		require.ErrorIs(t, err, container.ErrNoImage, name)
		require.NotContains(t, err.Error(), secretMarker, name)
	}
	unavailable := newFixture(t, func(c *dockerengine.Config) { c.Registries = fakeRegistries{err: errors.New("no store")} })
	require.ErrorIs(t, unavailable.EnsureImage(t.Context(), image, nil), container.ErrEngineUnavailable)

	f := newFixture(t, func(c *dockerengine.Config) {
		c.Registries = fakeRegistries{host: registry.host, user: "ci", password: secretMarker}
	})
	require.NoError(t, f.EnsureImage(t.Context(), image, nil))
	spec := f.spec("g1")
	spec.Labels.Image = image
	fetchReport(t, f.run(t, spec).Endpoint)
}
