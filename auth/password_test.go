package auth

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stowage/stowage/image"
	"github.com/stowage/stowage/share"
)

var ctx = context.Background()

func TestAPasswordIsKeptAsAHashOfItsOwn(t *testing.T) {
	h := NewPasswords()
	first, err := h.Hash(ctx, "correct horse battery", "")
	if err != nil || !strings.HasPrefix(first, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%q, %v", first, err)
	}
	second, err := h.Hash(ctx, "correct horse battery", "")
	if err != nil || first == second {
		t.Errorf("twice the same: %q, %v", second, err)
	}
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterx": false, "": false} {
		if same, old, err := h.Verify(ctx, first, password, ""); same != want || old || err != nil {
			t.Errorf("%q: same %v, old %v, %v", password, same, old, err)
		}
	}
	composed, err := h.Hash(ctx, "caf\u00e9 caf\u00e9 caf\u00e9", "")
	if err != nil {
		t.Fatal(err)
	}
	if same, _, err := h.Verify(ctx, composed, "cafe\u0301 cafe\u0301 cafe\u0301", ""); !same || err != nil {
		t.Errorf("another keyboard's accents: %v, %v", same, err)
	}
}

func TestWhoHasNoPasswordHasNone(t *testing.T) {
	h := NewPasswords()
	for _, password := range []string{"", "correct horse battery", strings.Repeat("x", 1<<20)} {
		if same, _, err := h.Verify(ctx, "", password, ""); same || err != nil {
			t.Errorf("%q: %v, %v", password, same, err)
		}
	}
}

func TestAHashOfOtherCostsIsRecognised(t *testing.T) {
	// By the reference implementation: echo -n password | argon2 somesalt -id -t 2 -m 16 -p 1
	const other = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	if same, old, err := NewPasswords().Verify(ctx, other, "password", ""); !same || !old || err != nil {
		t.Errorf("same %v, old %v, %v", same, old, err)
	}
}

func TestAHashOutOfBoundsIsNotFollowed(t *testing.T) {
	for _, kept := range []string{
		"$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=19456,t=0,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=19456,t=2,p=0$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
		"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$",
		"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ",
		"$2a$10$abcdefghijklmnopqrstuv", "password",
	} {
		if same, _, err := NewPasswords().Verify(ctx, kept, "password", ""); same || err == nil {
			t.Errorf("%s: %v, %v", kept, same, err)
		}
	}
}

func TestNoMoreThanTwoPasswordsAreHashedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewPasswords()
		first, err1 := h.places.Take(ctx, share.Key{By: "a"})
		second, err2 := h.places.Take(ctx, share.Key{By: "b"})
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		done := make(chan error, 1)
		go func() { _, err := h.Hash(ctx, "correct horse battery", "192.0.2.1"); done <- err }()
		synctest.Wait()
		select {
		case err := <-done:
			t.Errorf("a third one was hashed: %v", err)
		default:
		}
		first()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if first, err1 = h.places.Take(ctx, share.Key{By: "a"}); err1 != nil {
			t.Fatal(err1)
		}
		if _, err := h.Hash(ctx, "correct horse battery", "192.0.2.1"); image.KindOf(err) != image.RateLimited {
			t.Errorf("waiting without end: %v", err)
		}
		first()
		second()
	})
}

func TestPasswordsThatAreTriedFirstAreRefused(t *testing.T) {
	for _, password := range []string{
		"short", "elevenchars", "열한글자입니다아아아아",
		"passwordpassword", "Password1234!", "!!ADMIN!!!!!!!!", "qwertyuiop123", "1qaz2wsx3edc", "stowage-2026-12",
		"Administrator",
		"aaaaaaaaaaaa", "123456789012", "210987654321", "abcdefghijklm", "abcabcabcabc", "kim123456789", "KIM.kim.kim.!",
		"123456789012345", strings.Repeat("x", 1025), "\xff\xfe valid in no text",
	} {
		if err := CheckPassword(password, "kim"); image.KindOf(err) != image.Invalid {
			t.Errorf("%.40q: %v", password, err)
		}
	}
	for _, password := range []string{
		"correct horse battery", "kimchi-and-rice-7", "ein langes Wort", "서로 관련 없는 단어들을 씁니다", "aaaaaaaaaaab",
		"839201847561", "4815 1623 42 is not it", "            x",
	} {
		if err := CheckPassword(password, "kim"); err != nil {
			t.Errorf("%q: %v", password, err)
		}
	}
	if n := len(leaked()); n < 300 || leaked()["---"] || leaked()[""] {
		t.Errorf("%d leaked passwords", n)
	}
}
