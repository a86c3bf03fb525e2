package installer

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFindFile reads what lies on the medium itself, and nothing beside it.
func TestFindFile(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "you.pub"), []byte("key\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if data, err := FindFile("you.pub", dir, ""); err != nil || string(data) != "key\n" {
		t.Errorf("%q, %v", data, err)
	}
	if data, err := FindFile("../"+filepath.Base(dir)+"/you.pub", dir, ""); err == nil {
		t.Errorf("read %q outside the medium", data)
	}
	if _, err := FindFile("other.pub", dir, ""); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("other.pub: %v", err)
	}
}

func TestFetch(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	for address, want := range map[string]string{server.URL: "no address that begins with https://", "https://": "no address", "file:///etc/passwd": "no address", strings.Replace(server.URL, "http", "https", 1): "HTTP"} {
		if _, err := Fetch(t.Context(), address); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", address, err, want)
		}
	}
}
