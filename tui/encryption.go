package tui

import "reprise/installer/answers"

func encryptionFields(s *Session) []field {
	said := &s.Said
	list := []field{
		{id: "fileSystem", kind: choice, label: "File system: how files lie on the disk", value: &said.FileSystem, options: []option{
			{value: answers.Ext4, label: "ext4: the usual one", detail: []string{"nothing to look after"}},
			{value: answers.Btrfs, label: "btrfs: with snapshots and checksums", detail: []string{"for those who know that they want it"}},
		}},
		{id: "encryption", kind: choice, label: "Encryption", value: &said.Encryption, options: []option{
			{value: answers.NoEncryption, label: "None: the machine starts by itself", detail: []string{"right for a box on a stage; who takes the disk can read it"}},
			{value: answers.LUKS2, label: "LUKS2: a passphrase is asked for at each start", detail: []string{"who takes the disk reads nothing; each start needs a keyboard"}},
		}},
	}
	if said.Encryption != answers.LUKS2 {
		return list
	}
	return append(list,
		field{id: "passphrase", kind: secret, label: "Passphrase", help: "8 characters or more. When it is forgotten, everything on the disk is lost.", value: &said.Passphrase,
			hint:  func() string { return weak(said.Passphrase, shortPassphrase, said.Host, said.User) },
			check: func() string { return passphraseComplaint(said.Passphrase) }},
		again("passphraseAgain", "Passphrase again", &said.Passphrase, &said.PassphraseAgain))
}
