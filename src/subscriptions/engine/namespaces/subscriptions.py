"""`billing.subscriptions` and its previews, with and without `await`."""

from __future__ import annotations

from subscriptions.engine.binding import (
    Asks,
    AsyncAsks,
    AsyncDoes,
    AsyncLists,
    AsyncPreviews,
    Does,
    Lists,
    Namespace,
    Previews,
)
from subscriptions.usecases import (
    cancelling,
    pausing,
    subscribing,
    subscription_settings,
    subscriptions,
)


class Subscriptions(Namespace):
    """Who has what, and until when."""

    create = Does(subscribing.create)
    get = Asks(subscriptions.get)
    change = Does(subscriptions.change)
    schedule = Does(subscriptions.schedule)
    unschedule = Does(subscriptions.unschedule)
    set_next_billing = Does(subscriptions.set_next_billing)
    transfer = Does(subscriptions.transfer)
    set_catch_up = Does(subscription_settings.set_catch_up)
    set_payment_method = Does(subscription_settings.set_payment_method)
    set_collection_method = Does(subscription_settings.set_collection_method)
    pause = Does(pausing.pause)
    resume = Does(pausing.resume)
    extend_trial = Does(pausing.extend_trial)
    end_trial = Does(pausing.end_trial)
    cancel = Does(cancelling.cancel)
    undo_cancel = Does(cancelling.undo_cancel)
    set_end = Does(cancelling.set_end)
    reactivate = Does(cancelling.reactivate)
    answer_survey = Does(cancelling.answer_survey)
    cancellation_terms = Asks(cancelling.cancellation_terms)
    term_warnings = Asks(cancelling.term_warnings)
    list = Lists(subscriptions.list_)

    @property
    def preview(self) -> SubscriptionPreviews:
        """What its commands would do: `preview.cancel(…)`; `preview(…)` is that of `change`."""
        return SubscriptionPreviews(self.engine)


class AsyncSubscriptions(Namespace):
    """Who has what, and until when."""

    create = AsyncDoes(subscribing.create)
    get = AsyncAsks(subscriptions.get)
    change = AsyncDoes(subscriptions.change)
    schedule = AsyncDoes(subscriptions.schedule)
    unschedule = AsyncDoes(subscriptions.unschedule)
    set_next_billing = AsyncDoes(subscriptions.set_next_billing)
    transfer = AsyncDoes(subscriptions.transfer)
    set_catch_up = AsyncDoes(subscription_settings.set_catch_up)
    set_payment_method = AsyncDoes(subscription_settings.set_payment_method)
    set_collection_method = AsyncDoes(subscription_settings.set_collection_method)
    pause = AsyncDoes(pausing.pause)
    resume = AsyncDoes(pausing.resume)
    extend_trial = AsyncDoes(pausing.extend_trial)
    end_trial = AsyncDoes(pausing.end_trial)
    cancel = AsyncDoes(cancelling.cancel)
    undo_cancel = AsyncDoes(cancelling.undo_cancel)
    set_end = AsyncDoes(cancelling.set_end)
    reactivate = AsyncDoes(cancelling.reactivate)
    answer_survey = AsyncDoes(cancelling.answer_survey)
    cancellation_terms = AsyncAsks(cancelling.cancellation_terms)
    term_warnings = AsyncAsks(cancelling.term_warnings)
    list = AsyncLists(subscriptions.list_)

    @property
    def preview(self) -> AsyncSubscriptionPreviews:
        """What its commands would do: `preview.cancel(…)`; `preview(…)` is that of `change`."""
        return AsyncSubscriptionPreviews(self.engine)


class SubscriptionPreviews(Namespace):
    """What commands on subscriptions would do; called itself, what `change` would."""

    __call__ = Previews(subscriptions.change)
    create = Previews(subscribing.create)
    change = Previews(subscriptions.change)
    schedule = Previews(subscriptions.schedule)
    unschedule = Previews(subscriptions.unschedule)
    set_next_billing = Previews(subscriptions.set_next_billing)
    transfer = Previews(subscriptions.transfer)
    set_catch_up = Previews(subscription_settings.set_catch_up)
    set_payment_method = Previews(subscription_settings.set_payment_method)
    set_collection_method = Previews(subscription_settings.set_collection_method)
    pause = Previews(pausing.pause)
    resume = Previews(pausing.resume)
    extend_trial = Previews(pausing.extend_trial)
    end_trial = Previews(pausing.end_trial)
    cancel = Previews(cancelling.cancel)
    undo_cancel = Previews(cancelling.undo_cancel)
    set_end = Previews(cancelling.set_end)
    reactivate = Previews(cancelling.reactivate)
    answer_survey = Previews(cancelling.answer_survey)


class AsyncSubscriptionPreviews(Namespace):
    """What commands on subscriptions would do; called itself, what `change` would."""

    __call__ = AsyncPreviews(subscriptions.change)
    create = AsyncPreviews(subscribing.create)
    change = AsyncPreviews(subscriptions.change)
    schedule = AsyncPreviews(subscriptions.schedule)
    unschedule = AsyncPreviews(subscriptions.unschedule)
    set_next_billing = AsyncPreviews(subscriptions.set_next_billing)
    transfer = AsyncPreviews(subscriptions.transfer)
    set_catch_up = AsyncPreviews(subscription_settings.set_catch_up)
    set_payment_method = AsyncPreviews(subscription_settings.set_payment_method)
    set_collection_method = AsyncPreviews(subscription_settings.set_collection_method)
    pause = AsyncPreviews(pausing.pause)
    resume = AsyncPreviews(pausing.resume)
    extend_trial = AsyncPreviews(pausing.extend_trial)
    end_trial = AsyncPreviews(pausing.end_trial)
    cancel = AsyncPreviews(cancelling.cancel)
    undo_cancel = AsyncPreviews(cancelling.undo_cancel)
    set_end = AsyncPreviews(cancelling.set_end)
    reactivate = AsyncPreviews(cancelling.reactivate)
    answer_survey = AsyncPreviews(cancelling.answer_survey)
