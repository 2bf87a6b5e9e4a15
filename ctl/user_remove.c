/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * user_remove: delete somebody, or move him to another department; both change or
 * end a DN that lists may name, so the lists follow. And new passwords.
 *
 * Deleting asks first. It touches the directory alone: the mailbox stays on disk.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "follow.h"
#include "password.h"
#include "text.h"
#include "user.h"

/* Yes or no, from the terminal. CTL_DONE yes, CTL_NO, or CTL_USAGE: nobody to ask. */
static int
confirm(const struct ctl *ctl, const char *question)
{
    char line[16] = "";
    FILE *tty;

    if (ctl_value(ctl, "yes") || ctl_value(ctl, "dry-run"))
        return CTL_DONE;
    if (!(tty = fopen("/dev/tty", "r+")))
        return ctl_usage("%s There is no terminal to ask at: say --yes", question);
    text_put(tty, question);
    fputs(" [y/N] ", tty);
    fflush(tty);
    if (!fgets(line, sizeof line, tty))
        line[0] = '\0';
    fclose(tty);
    return line[0] == 'y' || line[0] == 'Y' ? CTL_DONE : CTL_NO;
}

static void
say_followed(const struct follow *f, const char *what)
{
    if (f->changed > 0)
        printf("%s %zu list%s\n", what, f->changed, f->changed == 1 ? "" : "s");
    if (f->left > 0)
        fprintf(stderr, "postroad: warning: %zu entr%s still name%s the old entry: %s\n", f->left,
                f->left == 1 ? "y" : "ies", f->left == 1 ? "s" : "", f->first);
}

static int
delete_entry(struct dir *d, const struct dir_entry *e)
{
    const struct ctl *ctl = dir_ctl(d);
    const char *address = *dir_value(e, "mail") ? dir_value(e, "mail") : e->dn;
    struct follow f = {0};
    char question[1200];
    int code;

    snprintf(question, sizeof question, "Delete %.300s (%.700s) from the directory?", address,
             e->dn);
    if ((code = confirm(ctl, question)) != CTL_DONE)
        return code == CTL_NO ? dir_refuse(d, CTL_NO, "nothing was deleted") : code;
    if ((code = dir_delete(d, e->dn)) != CTL_DONE)
        return code;
    follow_dn(d, e->dn, NULL, &f);
    if (ctl->json) {
        ctl_print_json(json_pack("{s:b, s:s, s:s, s:i, s:i}", "ok", 1, "dn", e->dn, "address",
                                 address, "lists", (int)f.changed, "left", (int)f.left));
    } else if (!dir_dry(d)) {
        printf("Deleted %s; the mailbox stays on disk\n", address);
        say_followed(&f, "Taken off");
    }
    return CTL_DONE;
}

/* Where it is to be: the same RDN below another parent. */
static int
new_place(struct dir *d, const struct dir_entry *e, char dn[PLACE_DN_MAX], char rdn[1100],
          char parent[PLACE_DN_MAX])
{
    const char *mail = dir_value(e, "mail"), *path = dir_ctl(d)->argv[1];
    struct user u = {{NULL}};
    char error[640];
    int code = CTL_DONE;

    if (user_set(&u, USER_ADDRESS, mail, strlen(mail), error, sizeof error) < 0 ||
        user_set(&u, USER_DEPARTMENT, path, strlen(path), error, sizeof error) < 0)
        code = dir_refuse(d, CTL_NO, "%s", error);
    if (code == CTL_DONE && !*u.value[USER_ADDRESS])
        code = dir_refuse(d, CTL_NO, "%s has no address, so no domain", e->dn);
    if (code == CTL_DONE)
        code = user_place(d, &u, parent);
    user_clear(&u);
    if (code == CTL_DONE &&
        (dir_first_rdn(e->dn, rdn, 1100) < 0 || dir_dn(rdn, parent, dn, PLACE_DN_MAX) < 0))
        code = dir_refuse(d, CTL_NO, "the name of the entry would be too long");
    return code;
}

static void
report_move(struct dir *d, const struct dir_entry *e, const char *dn, const struct follow *f)
{
    if (dir_ctl(d)->json) {
        ctl_print_json(json_pack("{s:b, s:s, s:s, s:i, s:i}", "ok", 1, "dn", dn, "was", e->dn,
                                 "lists", (int)f->changed, "left", (int)f->left));
        return;
    }
    printf("%s %s: ", dir_dn_same(dn, e->dn) ? "There already is" : "Moved", dir_value(e, "mail"));
    text_put(stdout, dn);
    putchar('\n');
    say_followed(f, "Changed in");
}

static int
move_entry(struct dir *d, const struct dir_entry *e)
{
    struct follow f = {0};
    char rdn[1100], parent[PLACE_DN_MAX], dn[PLACE_DN_MAX];
    int code = new_place(d, e, dn, rdn, parent);

    if (code == CTL_DONE && !dir_dn_same(dn, e->dn) &&
        (code = dir_rename(d, e->dn, rdn, parent)) == CTL_DONE)
        follow_dn(d, e->dn, dn, &f);
    if (code == CTL_DONE && !dir_dry(d))
        report_move(d, e, dn, &f);
    return code;
}

static int
new_password(struct dir *d, const struct dir_entry *e)
{
    const struct ctl *ctl = dir_ctl(d);
    const char *address = *dir_value(e, "mail") ? dir_value(e, "mail") : e->dn;
    int generate = ctl_value(ctl, "generate") != NULL, given;
    struct ctl asking = *ctl;
    struct secret s;
    int code;

    /* Nothing said: ask. */
    if (!ctl_value(ctl, "new-password-file") && !ctl_value(ctl, "prompt") && !generate &&
        asking.noptions < CTL_OPTIONS_MAX)
        asking.options[asking.noptions++] = (struct ctl_option){"prompt", ""};
    if ((code = password_choose(&asking, address, &s, &given)) != CTL_DONE)
        return code;
    code = password_set(d, e->dn, &s);
    if (code == CTL_DONE && ctl->json && !dir_dry(d))
        ctl_print_json(json_pack("{s:b, s:s, s:s, s:s*}", "ok", 1, "dn", e->dn, "address", address,
                                 "password", generate ? s.text : NULL));
    else if (code == CTL_DONE && !dir_dry(d))
        printf("Set the password of %s\n", address);
    if (code == CTL_DONE && generate && !ctl->json && !dir_dry(d))
        printf("Password: %s\n", s.text);
    secret_wipe(&s);
    return code;
}

static int
with_entry(struct ctl *ctl, int (*what)(struct dir *, const struct dir_entry *))
{
    struct dir_entry *e;
    struct dir *d;
    int code = dir_open(ctl, &d);

    if (code != CTL_DONE)
        return code;
    code = user_find(d, ctl->argv[0], &e);
    if (code == CTL_DONE)
        code = what(d, e);
    if (code != CTL_DONE && *dir_error(d))
        dir_fail(d, code);
    dir_entry_free(&e);
    dir_close(&d);
    return code;
}

int
verb_user_delete(struct ctl *ctl)
{
    return ctl->argc == 1 ? with_entry(ctl, delete_entry)
                          : ctl_usage("user delete takes one address");
}

int
verb_user_move(struct ctl *ctl)
{
    return ctl->argc == 2 ? with_entry(ctl, move_entry)
                          : ctl_usage("user move takes an address and a department: postroad user "
                                      "move alice@a.example hr/pay");
}

int
verb_user_password(struct ctl *ctl)
{
    return ctl->argc == 1 ? with_entry(ctl, new_password)
                          : ctl_usage("user password takes one address");
}
