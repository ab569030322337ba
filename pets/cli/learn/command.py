"""``pets learn``: lessons, for those who learn and for those who teach."""

# no "from __future__ import annotations": typer reads the annotations when this file loads

from pathlib import Path
from typing import Annotated

import typer

from pets.cli.command import verb

learn_app = typer.Typer(name="learn", help="Lessons on invented data that mark themselves.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The lesson, or the folder of one's own.", metavar="LESSON")]
Language = Annotated[str, typer.Option("--language", help="python, r or sql, where the lesson is written in it.")]


@verb(learn_app)
def list_() -> None:
    """The lessons, each with what it teaches and how long it takes.

    \b
    pets learn list
    """
    from pets.synthetic.lessons.lesson import described

    for line in described():
        print(line)
    print("Begin one: pets learn open find_the_faults --out lesson")


@verb(learn_app)
def open_(
    lesson: Name,
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="A folder that is not there yet.")],
    language: Language = "python",
) -> None:
    """For oneself: a folder with the notebook, invented rows that nobody else has, and a quiz that marks offline.

    \b
    pets learn open find_the_faults --out lesson
    pets learn open find_the_faults --out lesson --language sql
    """
    from pets.synthetic.lessons.lesson import load_lesson
    from pets.synthetic.lessons.making import DATA, hand_out
    from pets.synthetic.lessons.source import LANGUAGES
    from pets.synthetic.quiz.key import ONLY_DETERS
    from pets.synthetic.quiz.secret import Secret

    known = load_lesson(lesson)
    hand_out(known, out, Secret.fresh(), "me", language=language, offline=True)
    print(
        f"{out / LANGUAGES[language][0]}: {known.title}, about {known.minutes} minutes; its rows are in {out / DATA}."
    )
    print(f"How far you are: pets learn check {out}")
    print(f"{out / 'quiz.json'}: {ONLY_DETERS}")


@verb(learn_app)
def check(
    folder: Annotated[Path, typer.Argument(help="The lesson's folder.", metavar="FOLDER")],
) -> None:
    """Mark the answers in a lesson's folder, and say how far it is; for scripts in R and SQL, too.

    An answer is a file answers/TASK.csv with one column and a head, which the notebook writes by itself.

    \b
    pets learn check lesson
    """
    from pets.service.client.lessons.quiz import LessonQuiz
    from pets.synthetic.lessons.marking import check as checked

    quiz, marks = checked(folder, LessonQuiz.load)
    for one in marks:
        print(one)
    print(quiz)


@verb(learn_app)
def secret(
    file: Annotated[Path, typer.Argument(help="A file that is not there yet; keep it from students, and keep it.")],
) -> None:
    """For trainers: a new secret, from which every student's rows and their faults are drawn.

    \b
    pets learn secret trainer.secret
    """
    from pets.synthetic.quiz.secret import Secret

    print(
        f"{Secret.fresh().save(file)}: who has it can make every student's rows and answers again; hand it to nobody."
    )


@verb(learn_app)
def prepare(
    lesson: Name,
    students: Annotated[Path, typer.Option("--class", metavar="FILE", help="A CSV file with a column student.")],
    secret: Annotated[Path, typer.Option("--secret", metavar="FILE", help="Of pets learn secret.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="What is handed out: a folder for each student.")
    ],
    key: Annotated[Path, typer.Option("--key", metavar="FOLDER", help="The trainer's: answers, and a worked copy.")],
    language: Language = "python",
    offline: Annotated[
        bool, typer.Option("--offline", help="Students' quizzes mark by themselves; that only deters from looking.")
    ] = False,
    service: Annotated[
        str | None,
        typer.Option("--service", metavar="URL", help="Where pets learn serve will mark; each student has a token."),
    ] = None,
) -> None:
    """For trainers: a lesson for a class, each student with rows of their own.

    \b
    pets learn secret trainer.secret
    pets learn prepare find_the_faults --class class.csv --secret trainer.secret --out handout --key trainer
    pets learn prepare find_the_faults --class class.csv --secret trainer.secret --out handout --key trainer \\
        --service http://localhost:8480
    """
    from pets.service.client.lessons.quiz import checked_address
    from pets.synthetic.lessons.lesson import load_lesson
    from pets.synthetic.lessons.making import INSTRUCTOR, students_of
    from pets.synthetic.lessons.making import prepare as prepared
    from pets.synthetic.quiz.key import ONLY_DETERS
    from pets.synthetic.quiz.secret import Secret

    names, held = students_of(students), Secret.read(secret)
    known, at = load_lesson(lesson), None if service is None else checked_address(service)
    made = prepared(known, names, held, out, key, language=language, offline=offline, service=at, progress=True)
    print(f"{out}: {len(made)} folders to hand out, such as {made[0]}.")
    print(f"{key}: the answers, and in {key / INSTRUCTOR} a copy with solutions. Hand it to nobody.")
    if offline:
        print(f"quiz.json of each student: {ONLY_DETERS}")
    if at is not None:
        print(f"While they learn: pets learn serve --key {key}, so that it answers at {at}")
    print(f"When they are back: pets learn mark {out} --key {key} --out sheet.html")


@verb(learn_app)
def serve(
    key: Annotated[
        list[Path], typer.Option("--key", metavar="FOLDER", help="The trainer's folder; may be given for several.")
    ],
    host: Annotated[
        str, typer.Option("--host", help="Where to listen: this machine alone, unless said.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", help="0: any free one.")] = 8480,
) -> None:
    """For trainers: mark a class while it learns, until Ctrl-C: scores in quarters and hints, for a few attempts each.

    Answers stay here. Each attempt is logged in the trainer's folder, and pets learn mark reads it there.

    \b
    pets learn serve --key trainer
    pets learn serve --key faults_trainer --key crisis_trainer --port 8480
    """
    from pets.errors import missing_extra
    from pets.synthetic.lessons.desk import Desk

    try:
        from pets.service.http.marking.app import create_marking_app
        from pets.service.http.serving import listening, serve
    except ModuleNotFoundError:
        raise missing_extra("the marking service", "service") from None
    sock = listening(host, port)
    desk = Desk(key)
    shown, at = sock.getsockname()[:2]

    def ready() -> None:
        for title, many in desk.classes.items():
            print(f"Marking {title!r} for {many} {'student' if many == 1 else 'students'}.")
        print(f"Serving at http://{f'[{shown}]' if ':' in shown else shown}:{at}. Stop with Ctrl-C.", flush=True)

    try:
        serve(create_marking_app(desk), sock, ready)
    finally:
        desk.close()
    print("Stopped.")


@verb(learn_app)
def mark(
    handed_in: Annotated[Path, typer.Argument(help="The folders that came back, named as they were.")],
    key: Annotated[Path, typer.Option("--key", metavar="FOLDER", help="The trainer's folder.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The sheet: .csv or .html.")],
) -> None:
    """For trainers: mark what a class handed in, into a sheet of every task of every student.

    \b
    pets learn mark handed_in --key trainer --out sheet.csv
    """
    from pets.synthetic.lessons.marking import mark as marked

    sheet = marked(handed_in, key)
    sheet.save(out)
    for student, score in sheet.totals().items():
        print(f"{student}: {score} %")
    print(f"{out}: {len(sheet.lines)} lines")
